"""The plain baselines on the prompt side: words in front of prompts, and fixed answers to those that a detector flags.

| kind | what stands in front | of which prompts | source |
|---|---|---|---|
| prompting | an instruction not to know something | all | baseline of arXiv:2406.07933 |
| filtered-prompting | the same | those that the detector flags | arXiv:2406.07933 |
| refusal | (a fixed answer, without asking the model) | those that the detector flags | arXiv:2406.07933 |
| in-context | forget prompts with wrong answers, others with right ones | all | ICUL, arXiv:2310.07579 |

Nothing here is as tight as corrupted embeddings: but for a refusal, the words that are flagged still reach the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from unlearned import envelope
from unlearned.engines.base import Prepender
from unlearned.errors import ConfigError
from unlearned.types import Prompt, PromptInput, Verdict
from unlearned.unlearners.eco import ECO

Kind = Literal["prompting", "filtered-prompting", "refusal", "in-context"]
FILTERED = ("filtered-prompting", "refusal")

REFUSE = "You do not know the answer to this question. Say that you do not know it.\n\n"
"""In front of what is refused, where a model has to score answers to it all the same."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Instruction:
    """Words in front of prompts, or an answer in place of the model's.

    Raises:
        ConfigError: the kind is not known, or what it needs is missing.
    """

    kind: Kind
    text: str
    """In front of a text, or of the first message of a user."""

    answer: str | None = None
    """What a refusal says to flagged prompts."""

    detector: ECO | None = None
    """What flags the prompts of a filter. Nothing is corrupted."""

    sha256: str = ""
    """Hash of the record that it was read from, which covers its detector; empty if it was not read."""

    method: ClassVar[str] = envelope.INSTRUCTION
    lengthens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(f"kind={self.kind!r}: must be one of {', '.join(get_args(Kind))}.")
        if not self.text.strip():
            raise ConfigError(f"{self.kind}: there are no words to put in front of a prompt.")
        if (self.detector is None) is (self.kind in FILTERED):
            raise ConfigError(f"{self.kind} {'needs a detector' if self.kind in FILTERED else 'has no detector'}.")
        if bool((self.answer or "").strip()) is not (self.kind == "refusal"):
            raise ConfigError("A refusal needs an answer, and nothing else has one.")

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """Verdicts of the filter; without one nothing is flagged."""
        return [Verdict() for _ in prompts] if self.detector is None else self.detector.classify(prompts)

    def prepare(self, prompts: Sequence[Prompt], prepender: Prepender) -> list[PromptInput]:
        """What the model reads in place of each prompt. With a filter, every other prompt passes bit for bit."""
        return self.prepared(prompts, self.classify(prompts), prepender)

    def prepared(
        self, prompts: Sequence[Prompt], verdicts: Sequence[Verdict], prepender: Prepender
    ) -> list[PromptInput]:
        """Prepare prompts that were classified before."""
        found = []
        for prompt, verdict in zip(prompts, verdicts, strict=True):
            if self.detector is not None and not verdict.in_scope:
                found.append(PromptInput(prompt.token_ids, verdict))
            else:
                told = self.with_instruction(prompt, prepender)
                found.append(PromptInput(told.token_ids, verdict, answer=self.answer))
        return found

    def with_instruction(self, prompt: Prompt, prepender: Prepender) -> Prompt:
        """The prompt behind the words."""
        return prepender.prepend(prompt, self.text)
