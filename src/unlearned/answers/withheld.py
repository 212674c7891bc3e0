"""What of a scope may not be said unasked, as an artifact holds it: its names, and a filter of its texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy.typing as npt

from unlearned.answers.quotes import QuoteFilter
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.errors import ConfigError

AnswerPolicy = Literal["off", "names", "names+quotes", "names+quotes+content"]
"""What is held back in answers."""

POLICIES: tuple[AnswerPolicy, ...] = get_args(AnswerPolicy)
DEFAULT: AnswerPolicy = "names+quotes"

NAMES, QUOTES = "names", "quotes"
"""The arrays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """What one scope holds back."""

    names: tuple[ScopeName, ...] = ()
    quotes: QuoteFilter | None = None
    policy: AnswerPolicy = DEFAULT

    @property
    def holds(self) -> AnswerPolicy:
        """The policy as far as there is something that it could hold back."""
        if self.reads_content:
            return self.policy
        if self.policy == "off" or not (self.names or self.held_quotes):
            return "off"
        return "names+quotes" if self.held_quotes is not None else "names"

    @property
    def held_names(self) -> tuple[ScopeName, ...]:
        return () if self.policy == "off" else self.names

    @property
    def held_quotes(self) -> QuoteFilter | None:
        return self.quotes if self.policy.startswith("names+quotes") else None

    @property
    def reads_content(self) -> bool:
        """Clauses of answers are read as prompts are."""
        return self.policy == "names+quotes+content"

    def arrays(self, secret: bytes) -> dict[str, npt.NDArray[Any]]:
        """Arrays to save. The names are sealed with the secret, which is saved beside them."""
        found: dict[str, npt.NDArray[Any]] = {NAMES: Lexicon(self.names).sealed(secret)}
        return found if self.quotes is None else found | {QUOTES: self.quotes.bits}

    @classmethod
    def read(
        cls, arrays: Mapping[str, npt.NDArray[Any]], secret: bytes, *, policy: AnswerPolicy, quotes: Mapping[str, int]
    ) -> Withheld:
        """The reverse of `arrays`; raises ValueError if the names are none of this secret."""
        names = Lexicon.unsealed(arrays[NAMES], secret).names
        found = QuoteFilter(secret, arrays[QUOTES], **quotes) if QUOTES in arrays else None
        return cls(names=names, quotes=found, policy=policy)


def under(withheld: Withheld | None, policy: AnswerPolicy, lexicon: Lexicon) -> Withheld:
    """What is withheld under another policy; the lexicon's names, if the artifact was made without an answer side."""
    if withheld is None:
        return Withheld(names=lexicon.names, policy=policy)
    return replace(withheld, policy=policy)


def checked_policy(policy: str) -> AnswerPolicy:
    """Raises `ConfigError` for what is no policy."""
    found = next((known for known in POLICIES if known == policy), None)
    if found is None:
        raise ConfigError(f"answers={policy!r}: must be one of {', '.join(POLICIES)}.")
    return found
