"""What is compared: everything that can stand between a prompt and the start model, by name.

What works on prompts is fitted with prompts only. What trains (the methods that change weights, the soft prompt) sees
their answers, too. What was fitted lies in a folder, and is taken from there the next time.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.instruction import load_instruction, save_instruction
from unlearned.benchmarks.models import Load, with_adapter, with_weights
from unlearned.benchmarks.settings import Settings, check_settings
from unlearned.benchmarks.verdicts import Verdicts
from unlearned.corrupt.functions import SUBSTITUTION
from unlearned.engines.injection import inner_model
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import add_strength, fit_detector
from unlearned.learn.instructing import SHOWN, examples_in_context
from unlearned.learn.refusals import refusals
from unlearned.methods.config import LoraSettings, TrainConfig
from unlearned.methods.output_dir import unfinished
from unlearned.methods.registry import methods
from unlearned.methods.spul import SpulConfig, train_soft_prompt
from unlearned.methods.train import train_method
from unlearned.progress import Progress
from unlearned.registry import Registry
from unlearned.types import Prompt, PromptInput
from unlearned.unlearners import eco
from unlearned.unlearners.instruction import FILTERED, REFUSE, Instruction, Kind
from unlearned.unlearners.spul import SPUL

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DETECTOR, NONE, PROMPTING, SOFT_PROMPT = "detector", "none", "prompting", "spul"
KINDS: tuple[Kind, ...] = get_args(Kind)

ECO: dict[str, dict[str, Any]] = {
    "eco": {},
    "eco-es": {"corruption": SUBSTITUTION},
    "eco-es0": {"corruption": SUBSTITUTION, "strength": 0.0},
    "eco-rn": {"corruption": "rand_noise_first_n"},
    "eco-zo": {"corruption": "zero_out_top_k"},
    "eco-semantic": {"corruption": "semantic"},
    "eco-attribution": {"corruption": "semantic", "selector": "attribution"},
    "eco-auto": {"corruption": "auto"},
    "eco-hand": {"corruption": "rand_noise_first_n", "strength": 0.2, "unit": "absolute"},
}
"""System -> what differs from the defaults of `FitConfig`. `eco-es` puts a stranger's words in place of those that
identify the subject, `eco-es0` without noise on the others. The strength by hand is that of a first trial."""

UNFITTED = (NONE, PROMPTING)
"""Systems that are the same for every seed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitInputs:
    """What a system is made of."""

    model: PreTrainedModel
    """The start model."""

    tokenizer: PreTrainedTokenizerBase
    forget: Sequence[str | Row]
    """Prompts, whole as the model reads them; with answers where strengths are to be learned on other ones than its
    own."""

    retain: Sequence[str]
    forget_rows: Sequence[Row]
    """Rows with answers, for what trains."""

    retain_rows: Sequence[Row]
    fresh: Load
    """Gives another start model, whose weights may be changed."""

    instruction: str
    """What the prompting baseline puts in front of every prompt."""

    fit: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FitConfig` that replace its defaults."""

    train: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainConfig` that replace what the method's recipe says; what trains, trains a LoRA adapter."""

    spul: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SpulConfig` that replace its defaults."""

    verdicts: Verdicts | None = None
    """What detectors have found before; None: they find it again."""

    detected: tuple[Sequence[str | Row], Sequence[str]] | None = None
    """Forget and retain prompts for the detector, which sees the users' words only; None: the prompts above."""

    scope: str = "forget"


class System(Protocol):
    """One model under test."""

    name: str

    @property
    def engine(self) -> TransformersEngine:
        """Runs what was prepared."""
        ...

    @property
    def own_weights(self) -> bool:
        """False: the engine runs the start model, and what is not changed has the start model's results."""
        ...

    @property
    def front(self) -> str:
        """What stands in front of the weights and was fitted: the same text, the same doing. Empty for nothing."""
        ...

    def prepare(self, prompts: Sequence[Prompt]) -> list[PromptInput]:
        """What the model reads in place of each prompt."""
        ...

    def read(self, prompt: Prompt, given: PromptInput) -> Prompt:
        """The prompt as it is worded in what was prepared of it, token for token."""
        ...


class Plain:
    """Nothing stands between: the start model, or one with other weights."""

    front = ""

    def __init__(self, name: str, engine: TransformersEngine, *, own_weights: bool = False) -> None:
        self.name, self.engine, self.own_weights = name, engine, own_weights

    def prepare(self, prompts: Sequence[Prompt]) -> list[PromptInput]:
        return [PromptInput(prompt.token_ids) for prompt in prompts]

    def read(self, prompt: Prompt, given: PromptInput) -> Prompt:
        return prompt


class Corrupted:
    """An artifact."""

    own_weights = False

    def __init__(
        self, name: str, view: Unlearned, verdicts: Verdicts | None = None, report: Progress | None = None
    ) -> None:
        self.name, self.engine, self._view = name, view.engine, view
        self._verdicts, self._report = verdicts, report or (lambda phase, done, total: None)

    @property
    def unlearner(self) -> eco.ECO:
        return self._view.unlearner

    @property
    def front(self) -> str:
        return repr([_scope_text(scope) for scope in self.unlearner.scopes])

    def prepare(self, prompts: Sequence[Prompt]) -> list[PromptInput]:
        unlearner = self.unlearner
        if self._verdicts is None:
            return unlearner.prepare(prompts, self.engine)
        verdicts = self._verdicts.classify(unlearner, prompts, self._report)
        return [unlearner.corrupt(prompt, v, self.engine) for prompt, v in zip(prompts, verdicts, strict=True)]

    def read(self, prompt: Prompt, given: PromptInput) -> Prompt:
        return prompt


class Instructed:
    """Words in front of prompts, or a fixed answer to some of them."""

    own_weights = False

    def __init__(
        self,
        engine: TransformersEngine,
        instruction: Instruction,
        verdicts: Verdicts | None = None,
        report: Progress | None = None,
    ) -> None:
        self.name: str = instruction.kind
        self.engine, self.instruction = engine, instruction
        self._verdicts, self._report = verdicts, report or (lambda phase, done, total: None)

    @property
    def front(self) -> str:
        told = self.instruction
        scopes = () if told.detector is None else told.detector.scopes
        return repr([told.kind, told.text, told.answer, [scope.detector_sha256() for scope in scopes]])

    def prepare(self, prompts: Sequence[Prompt]) -> list[PromptInput]:
        told = self.instruction
        if told.detector is None or self._verdicts is None:
            return told.prepare(prompts, self.engine)
        verdicts = self._verdicts.classify(told.detector, prompts, self._report)
        return told.prepared(prompts, verdicts, self.engine)

    def read(self, prompt: Prompt, given: PromptInput) -> Prompt:
        return self.instruction.with_instruction(prompt, self.engine) if given.token_ids != prompt.token_ids else prompt


class Prefixed:
    """A soft prompt in front of every prompt."""

    name, own_weights = SOFT_PROMPT, False

    def __init__(self, engine: TransformersEngine, soft: SPUL) -> None:
        self.engine, self._soft = engine, soft

    @property
    def front(self) -> str:
        return hashlib.sha256(self._soft.vectors.numpy().tobytes()).hexdigest()

    def prepare(self, prompts: Sequence[Prompt]) -> list[PromptInput]:
        return self._soft.prepare(prompts, self.engine)

    def read(self, prompt: Prompt, given: PromptInput) -> Prompt:
        """Behind the soft tokens, which stand for no text."""
        count = len(given.token_ids) - len(prompt.token_ids)
        offsets = np.concatenate([np.zeros((count, 2), dtype=np.int64), prompt.offsets])
        special = np.concatenate([np.ones(count, dtype=np.bool_), prompt.is_special])
        return Prompt(prompt.text, given.token_ids, offsets, special, prompt.segments)


def _scope_text(scope: eco.ForgetScope) -> list[str]:
    """What a scope recognises and does."""
    stored = {} if scope.corruption is None else scope.corruption.stored
    arrays = [f"{name} {hashlib.sha256(array.tobytes()).hexdigest()}" for name, array in sorted(stored.items())]
    return [scope.detector_sha256(), scope.selector, repr(scope.corruption), *arrays, scope.secret.hex()]


Maker = Callable[[FitInputs, int, Path, Progress], System]
"""(materials, seed, folder, progress) -> system."""


def systems() -> Registry[Maker]:
    """Everything that can be compared; the methods also of other packages."""
    registry: Registry[Maker] = Registry("unlearner")
    registry.register(NONE, _none)
    for kind in KINDS:
        registry.register(kind, partial(_instructed, kind))
    for name in ECO:
        registry.register(name, partial(_eco, name))
    registry.register(SOFT_PROMPT, _soft_prompt)
    for name in methods().names():
        registry.register(name, partial(_method, name))
    return registry


def check_systems(
    names: Sequence[str],
    seeds: int,
    *,
    fit: Settings | None = None,
    train: Settings | None = None,
    spul: Settings | None = None,
) -> None:
    """Raise unless these can be compared.

    Args:
        names: of systems, each once.
        seeds: at least 1.
        fit: fields of `FitConfig`.
        train: fields of `TrainConfig`, for all methods, or for one of the names: `npo.epochs`.
        spul: fields of `SpulConfig`.

    Raises:
        UnknownNameError: a name is not known.
        ConfigError: anything else.
    """
    registry = systems()
    for name in names:
        registry.get(name)
    if len(set(names)) < len(names):
        raise ConfigError("An unlearner is named twice.")
    if seeds < 1:
        raise ConfigError(f"seeds={seeds}: must be at least 1.")
    check_settings(fit or {}, FitConfig, (), "--fit")
    check_settings(train or {}, TrainConfig, names, "--train")
    check_settings(spul or {}, SpulConfig, (), "--spul")


def own_model(name: str, load: Load) -> Plain:
    """A model with weights of its own, and nothing in front of it."""
    return Plain(name, TransformersEngine(*load()), own_weights=True)


def make_system(name: str, seed: int, folder: Path, materials: FitInputs, report: Progress) -> System:
    """Fit one, or take it from its folder; raises `UnknownNameError` for a name that is not known."""
    return systems().get(name)(materials, seed, folder, report)


def detects(name: str) -> bool:
    """Whether this one has the detector."""
    return name in ECO or name in FILTERED


def trains(name: str) -> bool:
    """Whether this one sees answers, and its result depends on the code of the methods."""
    return name == SOFT_PROMPT or name in methods().names()


def detector(materials: FitInputs, seed: int, folder: Path, report: Progress) -> Artifact:
    """The detector that all systems of a seed share."""
    place = folder / DETECTOR
    if not (place / "unlearner.json").is_file():
        config = FitConfig(seed=seed, **materials.fit)
        forget, retain = list(materials.forget), list(materials.retain)
        fit_detector(forget, retain, scope=materials.scope, config=config, on_progress=report).save_pretrained(place)
    return Artifact.from_pretrained(place)


def corrupting(
    name: str, fields: Mapping[str, Any], materials: FitInputs, seed: int, folder: Path, report: Progress
) -> Artifact:
    """An artifact: the detector, with a strength that was learned with these fields of `FitConfig`."""
    place = folder / name
    if not (place / "unlearner.json").is_file():
        add_strength(
            materials.model,
            materials.tokenizer,
            detector(materials, seed, folder, report),
            list(materials.forget),
            list(materials.retain),
            config=FitConfig(seed=seed, **{**materials.fit, **fields}),
            on_progress=report,
        ).save_pretrained(place)
    return Artifact.from_pretrained(place)  # always the one on disk, which others will read


def unlearned_model(name: str, materials: FitInputs, seed: int, folder: Path, report: Progress) -> Load:
    """Loads what a method made of the start model by its own recipe.

    It trains a LoRA adapter. A new adapter is zero, so a method without steps, which only edits, edits all weights.
    """
    place = folder / name
    trains_an_adapter = bool(methods().get(name).trains)
    if not (place / "training.json").is_file():
        model, tokenizer = materials.fresh()
        adapter = LoraSettings() if trains_an_adapter else None
        config = TrainConfig(**{"lora": adapter, "seed": seed, **materials.train})
        forget, retain = list(materials.forget_rows), list(materials.retain_rows)
        train_method(name, model, tokenizer, forget, retain, config, place, on_progress=report)
    return partial(partial(with_adapter, exact=True) if trains_an_adapter else with_weights, materials.fresh, place)


def told(kind: Kind, materials: FitInputs, seed: int, folder: Path, report: Progress) -> Instruction:
    """An instruction; those that filter share the detector of all others, those with examples are given answers."""
    place = folder / kind
    if not place.is_dir():
        text, answer = materials.instruction, None
        if kind == "in-context":
            text = _context(materials, seed)
        if kind == "refusal":
            text, answer = REFUSE, random.Random(seed).choice(refusals())
        filtering = detector(materials, seed, folder, report) if kind in FILTERED else None
        scopes = None if filtering is None else filtering.unlearner()
        made = Instruction(kind=kind, text=text, answer=answer, detector=scopes)
        save_instruction(made, place, detector=filtering)
    return load_instruction(place)


def _context(materials: FitInputs, seed: int) -> str:
    """Examples that fill at most half of what the model reads; fewer of them where they are long."""
    form = materials.train.get("form")
    written = {} if form is None else {"prompt": form.prompt, "answer": form.answer}
    config = inner_model(materials.model).config.get_text_config()
    room = int(getattr(config, "max_position_embeddings", None) or 2048) // 2
    for shown in range(SHOWN, 0, -1):
        text = examples_in_context(materials.forget_rows, materials.retain_rows, shown=shown, seed=seed, **written)
        if len(materials.tokenizer(text, verbose=False)["input_ids"]) <= room:
            return text
    raise DataError(f"in-context: an example of either side takes more than {room} tokens, half of the model's window.")


def soft_prompt(materials: FitInputs, seed: int, folder: Path, report: Progress) -> SPUL:
    """The soft prompt that was trained in front of the start model."""
    place = folder / SOFT_PROMPT
    if not place.is_dir():
        forget, retain = list(materials.forget_rows), list(materials.retain_rows)
        config = SpulConfig(**{"seed": seed, **materials.spul})
        checkpoints = unfinished(place)
        soft = train_soft_prompt(
            materials.model, materials.tokenizer, forget, retain, config, report, checkpoints=checkpoints
        )
        soft.save_pretrained(place)
        shutil.rmtree(checkpoints)
    return SPUL.from_pretrained(place)


def _none(materials: FitInputs, seed: int, folder: Path, report: Progress) -> System:
    return Plain(NONE, TransformersEngine(materials.model, materials.tokenizer))


def _instructed(kind: Kind, materials: FitInputs, seed: int, folder: Path, report: Progress) -> System:
    engine = TransformersEngine(materials.model, materials.tokenizer)
    return Instructed(engine, told(kind, materials, seed, folder, report), materials.verdicts, report)


def _eco(name: str, materials: FitInputs, seed: int, folder: Path, report: Progress) -> System:
    artifact = corrupting(name, ECO[name], materials, seed, folder, report)
    return Corrupted(name, Unlearned(materials.model, materials.tokenizer, artifact), materials.verdicts, report)


def _method(name: str, materials: FitInputs, seed: int, folder: Path, report: Progress) -> System:
    return own_model(name, unlearned_model(name, materials, seed, folder, report))


def _soft_prompt(materials: FitInputs, seed: int, folder: Path, report: Progress) -> System:
    engine = TransformersEngine(materials.model, materials.tokenizer)
    return Prefixed(engine, soft_prompt(materials, seed, folder, report))
