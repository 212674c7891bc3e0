"""What the rest of the package asks of an engine, and what an engine gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from unlearned.types import Message, Prompt, PromptInput

if TYPE_CHECKING:
    from torch import Tensor

    from unlearned.substitution.bank import Bank


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated answer."""

    text: str
    token_ids: tuple[int, ...]
    """New tokens only, without padding; the end-of-sequence token stays if it was generated."""


class Embedder(Protocol):
    """What has to be known of a model to corrupt its prompts."""

    @property
    def bank(self) -> Bank:
        """Words of its tokenizer."""
        ...

    def embed(self, token_ids: Sequence[int]) -> Tensor:
        """(T, D) what the embedding module returns for these ids, on the CPU."""
        ...


class Prepender(Protocol):
    """What has to be known of a model to put words in front of its prompts."""

    def prepend(self, prompt: Prompt, words: str) -> Prompt:
        """The prompt with words in front of it: in a chat, of the first message of a user, and part of it."""
        ...


class Preparer(Embedder, Prepender, Protocol):
    """All that an unlearner may ask of a model when it prepares prompts for it."""


class Engine(Preparer, Protocol):
    """Runs a model it does not change. Knows tokens and vectors, nothing of scopes or corruption."""

    def tokenize(self, prompt: str | Sequence[Message], *, chat: bool | None = None) -> Prompt: ...

    def generate(self, inputs: Sequence[PromptInput], /, **generation: Any) -> list[Completion]: ...

    def log_likelihood(self, inputs: Sequence[PromptInput], continuations: Sequence[str]) -> list[Tensor]:
        """Per prompt, the log-probability of each token of its continuation, (n,) float32 on the CPU."""
        ...
