"""What every prompt-side method is to the rest: verdicts on prompts, and what the model reads in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from unlearned.envelope import INSTRUCTION, SPUL, named
from unlearned.errors import ConfigError

if TYPE_CHECKING:  # the command line checks the rule before anything heavy is loaded
    from unlearned.engines.base import Preparer
    from unlearned.types import Prompt, PromptInput, Verdict


class Unlearner(Protocol):
    """Stands in front of a model: ECO artifacts, a soft prompt, an instruction, or what stands together of these."""

    @property
    def method(self) -> str:
        """ "eco", "spul", "instruction", or several of these joined by "+"."""
        ...

    @property
    def lengthens(self) -> bool:
        """Whether the model may read more tokens than the user's."""
        ...

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """One verdict per prompt; empty ones where the method flags nothing. Raises `DetectionError`."""
        ...

    def prepared(
        self, prompts: Sequence[Prompt], verdicts: Sequence[Verdict], preparer: Preparer, /
    ) -> list[PromptInput]:
        """What the model reads in place of prompts that `classify` has judged.

        Raises:
            UnlearnedError: a prompt cannot be prepared, so nothing may be generated from it.
        """
        ...

    def prepare(self, prompts: Sequence[Prompt], preparer: Preparer, /) -> list[PromptInput]:
        """`classify`, then `prepared`."""
        ...


def check_together(methods: Sequence[str]) -> None:
    """The one rule for what stands together: any number of ECO artifacts and one soft prompt, or one instruction.

    Raises:
        ConfigError: these do not.
    """
    if INSTRUCTION in methods and len(methods) > 1:
        other = next((named(method) for method in methods if method != INSTRUCTION), "another instruction")
        raise ConfigError(f"An instruction stands alone, and here is {other} beside it. Leave one of them out.")
    if methods.count(SPUL) > 1:
        raise ConfigError("Two soft prompts cannot stand in front of one prompt. Leave one of them out.")
