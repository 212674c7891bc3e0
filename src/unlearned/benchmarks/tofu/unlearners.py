"""What is compared on TOFU: everything that stands between a question and the start model, by name.

What works on prompts is fitted with the QUESTIONS of the forget and the retain set only. The prompting baseline also
gets the names of the authors to be forgotten, which are read from the forget rows. What trains sees answers, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from unlearned.api import Unlearned
from unlearned.benchmarks.systems import (
    ECO,
    KINDS,
    NONE,
    SOFT_PROMPT,
    FitInputs,
    corrupting,
    soft_prompt,
    told,
    unlearned_model,
)
from unlearned.benchmarks.tofu.prompts import Format, format_of
from unlearned.engines.transformers import TransformersEngine
from unlearned.methods.known import methods
from unlearned.progress import Progress
from unlearned.registry import Registry
from unlearned.stages import Prompt, PromptInput
from unlearned.unlearners.instruction import Instruction, Kind
from unlearned.unlearners.spul import SPUL


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question as one model under test gets it."""

    question: str
    plain: Prompt
    """As the start model reads it."""

    prompt: Prompt
    """As it is read here: with an instruction in front, perhaps."""

    input: PromptInput

    @property
    def answer(self) -> str | None:
        """The answer that is given without asking the model."""
        return self.input.answer

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


class Instructed:
    """Words in front of questions, or a fixed answer to some of them.

    A fixed text has no likelihoods. So that it can be scored at all, answers to refused questions are scored by the
    start model under an instruction to say that it does not know.
    """

    own_weights = False

    def __init__(self, engine: TransformersEngine, instruction: Instruction) -> None:
        self.name: str = instruction.kind
        self.engine, self._instruction = engine, instruction
        self._format = format_of(engine.tokenizer)

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        plain = [tokenized(self.engine, self._format, question) for question in questions]
        asked = []
        for question, prompt, given in zip(
            questions, plain, self._instruction.prepare(plain, self.engine), strict=True
        ):
            read = self._instruction.told(prompt, self.engine) if given.token_ids != prompt.token_ids else prompt
            asked.append(Asked(question, prompt, read, given))
        return asked


class Prefixed:
    """A soft prompt in front of every question."""

    name, own_weights = SOFT_PROMPT, False

    def __init__(self, engine: TransformersEngine, soft: SPUL) -> None:
        self.engine, self._soft, self._format = engine, soft, format_of(engine.tokenizer)

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        plain = [tokenized(self.engine, self._format, question) for question in questions]
        inputs = self._soft.prepare(plain, self.engine)
        return [
            Asked(question, prompt, _moved(prompt, given.token_ids), given)
            for question, prompt, given in zip(questions, plain, inputs, strict=True)
        ]


def _moved(prompt: Prompt, token_ids: tuple[int, ...]) -> Prompt:
    """The prompt behind the soft tokens, which stand for no text."""
    count = len(token_ids) - len(prompt.token_ids)
    offsets = np.concatenate([np.zeros((count, 2), dtype=np.int64), prompt.offsets])
    special = np.concatenate([np.ones(count, dtype=np.bool_), prompt.is_special])
    return Prompt(prompt.text, token_ids, offsets, special, prompt.segments)


def tokenized(engine: TransformersEngine, form: Format, question: str) -> Prompt:
    """The question as the model reads it."""
    return engine.tokenize(form.question(question), chat=form.chat)


Maker = Callable[[FitInputs, int, Path, Progress], Unlearner]
"""(materials, seed, folder, progress) -> unlearner. What was fitted lies in the folder and is taken from there."""


def _none(materials: FitInputs, seed: int, folder: Path, report: Progress) -> Unlearner:
    return Plain(NONE, TransformersEngine(materials.model, materials.tokenizer))


def _instructed(kind: Kind, materials: FitInputs, seed: int, folder: Path, report: Progress) -> Unlearner:
    engine = TransformersEngine(materials.model, materials.tokenizer)
    return Instructed(engine, told(kind, materials, seed, folder, report))


def _eco(name: str, materials: FitInputs, seed: int, folder: Path, report: Progress) -> Unlearner:
    artifact = corrupting(name, ECO[name], materials, seed, folder, report)
    return Eco(name, Unlearned(materials.model, materials.tokenizer, artifact))


def _method(name: str, materials: FitInputs, seed: int, folder: Path, report: Progress) -> Unlearner:
    load = unlearned_model(name, materials, seed, folder, report)
    return Plain(name, TransformersEngine(*load()), own_weights=True)


def _soft_prompt(materials: FitInputs, seed: int, folder: Path, report: Progress) -> Unlearner:
    engine = TransformersEngine(materials.model, materials.tokenizer)
    return Prefixed(engine, soft_prompt(materials, seed, folder, report))


def unlearners() -> Registry[Maker]:
    """Everything that can be compared; the methods also of other packages."""
    registry: Registry[Maker] = Registry("unlearner")
    for name, make in {NONE: _none, SOFT_PROMPT: _soft_prompt}.items():
        registry.register(name, make)
    for kind in KINDS:
        registry.register(kind, partial(_instructed, kind))
    for name in ECO:
        registry.register(name, partial(_eco, name))
    for name in methods().names():
        registry.register(name, partial(_method, name))
    return registry
