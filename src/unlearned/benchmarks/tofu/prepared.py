"""A question as a system gets it: plain, as the system words it, and as the model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unlearned.benchmarks.systems import System
from unlearned.benchmarks.tofu.prompts import Format, format_of
from unlearned.engines.transformers import TransformersEngine
from unlearned.types import Prompt, PromptInput


@dataclass(frozen=True, slots=True, eq=False)
class PreparedQuestion:
    """A question as one model under test gets it."""

    question: str
    plain: Prompt
    """The prompt as the start model reads it."""

    prompt: Prompt
    """The prompt as this model reads it: with an instruction in front, perhaps."""

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


def ask(system: System, questions: Sequence[str]) -> list[PreparedQuestion]:
    """Each question once; whoever scores several answers to it uses the same `PreparedQuestion`.

    A fixed text has no likelihoods. So that it can be scored at all, answers to refused questions are scored by the
    start model under an instruction to say that it does not know.
    """
    form = format_of(system.engine.tokenizer)
    prompts = [tokenized(system.engine, form, question) for question in questions]
    return [
        PreparedQuestion(question, prompt, system.read(prompt, given), given)
        for question, prompt, given in zip(questions, prompts, system.prepare(prompts), strict=True)
    ]


def tokenized(engine: TransformersEngine, form: Format, question: str) -> Prompt:
    """The question as the model reads it."""
    return engine.tokenize(form.question(question), chat=form.chat)
