"""What is compared on TOFU: everything that stands between a question and the start model, by name.

Each is fitted on the start model with the QUESTIONS of the forget and the retain set only. The prompting baseline also
gets the names of the authors to be forgotten, which are read from the forget rows. What trains is in `trained.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.benchmarks.tofu.data import Pair
from unlearned.benchmarks.tofu.models import Load
from unlearned.benchmarks.tofu.prompts import REFUSE, Format, format_of, instruction
from unlearned.engines.transformers import TransformersEngine
from unlearned.learn.fit import FitConfig, add_strength, fit_detector
from unlearned.learn.refusals import refusals
from unlearned.progress import Progress
from unlearned.registry import Registry
from unlearned.stages import Prompt, PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SCOPE = "tofu"
DETECTOR = "detector"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question as one model under test gets it."""

    question: str
    plain: Prompt
    """As the start model reads it."""

    prompt: Prompt
    """As it is read here: with an instruction in front, perhaps."""

    input: PromptInput
    answer: str | None = None
    """The answer that is given without asking the model."""

    @property
    def reworded(self) -> bool:
        """Whether the model reads other tokens."""
        return self.input.token_ids != self.plain.token_ids

    @property
    def changed(self) -> bool:
        """Whether anything is done that the start model would not do."""
        return self.reworded or self.input.corrupted or self.answer is not None


class Unlearner(Protocol):
    """One model under test."""

    name: str

    @property
    def engine(self) -> TransformersEngine:
        """Answers what was prepared."""
        ...

    @property
    def own_weights(self) -> bool:
        """False: the engine runs the start model, and what is not changed has the start model's results."""
        ...

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        """Each question once; whoever scores several answers to it uses the same `Asked`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Materials:
    """What an unlearner is made of."""

    model: PreTrainedModel
    """The start model."""

    tokenizer: PreTrainedTokenizerBase
    forget: Sequence[str]
    """Questions."""

    retain: Sequence[str]
    pairs: Mapping[str, Sequence[Pair]]
    """`forget` and `retain` with their answers, for what trains."""

    fresh: Load
    """Gives another start model, whose weights may be changed."""

    names: Sequence[str]
    """Of the authors to be forgotten."""

    fit: Mapping[str, Any]
    """Fields of `FitConfig` that replace its defaults, for all of them."""

    def config(self, seed: int, **fields: Any) -> FitConfig:
        return FitConfig(seed=seed, **{**self.fit, **fields})


class Plain:
    """Nothing stands between: start and retained model, the unlearner `none`, and methods that change weights."""

    def __init__(self, name: str, engine: TransformersEngine, *, own_weights: bool = False) -> None:
        self.name, self.engine, self.own_weights = name, engine, own_weights
        self._format = format_of(engine.tokenizer)

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        asked = []
        for question in questions:
            prompt = tokenized(self.engine, self._format, question)
            asked.append(Asked(question, prompt, prompt, PromptInput(prompt.token_ids)))
        return asked


class Eco:
    """An artifact."""

    own_weights = False

    def __init__(self, name: str, view: Unlearned) -> None:
        self.name, self.engine = name, view.engine
        self._view, self._format = view, format_of(view.engine.tokenizer)

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        prompts = [tokenized(self.engine, self._format, question) for question in questions]
        inputs = self._view.unlearner.prepare(prompts, self.engine)
        return [
            Asked(question, prompt, prompt, given)
            for question, prompt, given in zip(questions, prompts, inputs, strict=True)
        ]


class Prompting:
    """An instruction in front of every question. Source: the baseline of arXiv:2406.07933, in other words."""

    name, own_weights = "prompting", False

    def __init__(self, engine: TransformersEngine, names: Sequence[str]) -> None:
        self.engine, self._format = engine, format_of(engine.tokenizer)
        self._instruction = instruction(names)

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        asked = []
        for question in questions:
            told = tokenized(self.engine, self._format, self._instruction + question)
            plain = tokenized(self.engine, self._format, question)
            asked.append(Asked(question, plain, told, PromptInput(told.token_ids)))
        return asked


class RefusalFilter:
    """The same detector as ECO's, and a fixed answer to what it flags.

    A fixed text has no likelihoods. So that it can be scored at all, answers to flagged questions are scored by the
    start model under an instruction to say that it does not know.
    """

    name, own_weights = "refusal", False

    def __init__(self, engine: TransformersEngine, detector: Artifact, seed: int) -> None:
        self.engine, self._format, self._eco = engine, format_of(engine.tokenizer), detector.unlearner()
        self._answer = random.Random(seed).choice(refusals())

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        prompts = [tokenized(self.engine, self._format, question) for question in questions]
        asked = []
        for question, prompt, verdict in zip(questions, prompts, self._eco.classify(prompts), strict=True):
            if not verdict.in_scope:
                asked.append(Asked(question, prompt, prompt, PromptInput(prompt.token_ids, verdict)))
                continue
            told = tokenized(self.engine, self._format, REFUSE + question)
            asked.append(Asked(question, prompt, told, PromptInput(told.token_ids, verdict), self._answer))
        return asked


def tokenized(engine: TransformersEngine, form: Format, question: str) -> Prompt:
    """The question as the model reads it."""
    return engine.tokenize(form.question(question), chat=form.chat)


Maker = Callable[[Materials, int, Path, Progress], Unlearner]
"""(materials, seed, folder, progress) -> unlearner. What was fitted lies in the folder and is taken from there."""


def _none(materials: Materials, seed: int, folder: Path, report: Progress) -> Unlearner:
    return Plain("none", TransformersEngine(materials.model, materials.tokenizer))


def _prompting(materials: Materials, seed: int, folder: Path, report: Progress) -> Unlearner:
    return Prompting(TransformersEngine(materials.model, materials.tokenizer), materials.names)


def _refusal(materials: Materials, seed: int, folder: Path, report: Progress) -> Unlearner:
    engine = TransformersEngine(materials.model, materials.tokenizer)
    return RefusalFilter(engine, _detector(materials, seed, folder, report), seed)


def _eco(
    name: str, fields: dict[str, Any], materials: Materials, seed: int, folder: Path, report: Progress
) -> Unlearner:
    place = folder / name
    if not (place / "unlearner.json").is_file():
        add_strength(
            materials.model,
            materials.tokenizer,
            _detector(materials, seed, folder, report),
            list(materials.forget),
            list(materials.retain),
            config=materials.config(seed, **fields),
            on_progress=report,
        ).save_pretrained(place)
    # Always the one on disk, which `verify` will read.
    return Eco(name, Unlearned(materials.model, materials.tokenizer, Artifact.from_pretrained(place)))


def _detector(materials: Materials, seed: int, folder: Path, report: Progress) -> Artifact:
    """One for all unlearners of a seed."""
    place = folder / DETECTOR
    if not (place / "unlearner.json").is_file():
        fit_detector(
            list(materials.forget),
            list(materials.retain),
            scope=SCOPE,
            config=materials.config(seed),
            on_progress=report,
        ).save_pretrained(place)
    return Artifact.from_pretrained(place)


ECO: dict[str, dict[str, Any]] = {
    "eco": {},
    "eco-rn": {"corruption": "rand_noise_first_n"},
    "eco-zo": {"corruption": "zero_out_top_k"},
    "eco-semantic": {"corruption": "semantic"},
    "eco-attribution": {"corruption": "semantic", "selector": "attribution"},
    "eco-auto": {"corruption": "auto"},
    "eco-hand": {"corruption": "rand_noise_first_n", "strength": 0.2, "unit": "absolute"},
}
"""Unlearner -> what differs from the defaults of `FitConfig`. The strength by hand is that of a first trial."""

UNFITTED = ("none", "prompting")
"""The same for every seed."""

unlearners: Registry[Maker] = Registry("unlearner")
unlearners.register("none", _none)
unlearners.register("prompting", _prompting)
unlearners.register("refusal", _refusal)
for _name, _fields in ECO.items():
    unlearners.register(_name, partial(_eco, _name, _fields))
