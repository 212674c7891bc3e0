"""What may not be said in the answer to one prompt: names and quotes of all scopes, but for what its writer said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from unlearned.answers.automaton import Automaton
from unlearned.answers.content import ContentReader
from unlearned.answers.quotes import QuoteFilter, runs, words
from unlearned.answers.spellings import spellings
from unlearned.answers.withheld import Withheld
from unlearned.types import Prompt, Verdict

PRIMED = 200
"""Characters of a prompt that its answer may go on from within a name."""

ASKED = 400
"""Characters of the last message to which the clauses of its answer may refer."""


class Bans:
    """The names, quotes and content of all scopes in force; made once, whatever is asked.

    Args:
        withheld: of each scope.
        content: reads clauses for the scopes of which no content may be told; None = there are none.
    """

    def __init__(self, withheld: Sequence[Withheld], content: ContentReader | None = None) -> None:
        self.content = content
        names = list(dict.fromkeys(name for one in withheld for name in one.held_names))
        self.names = tuple(names)
        self.automaton = Automaton(
            (spelt, n, not name.alone) for n, name in enumerate(names) for spelt in spellings(name)
        )
        self.quotes: tuple[QuoteFilter, ...] = tuple(own for one in withheld if (own := one.held_quotes) is not None)

    def __bool__(self) -> bool:
        return bool(len(self.automaton) or self.quotes or self.content)

    @cached_property
    def longest_quote(self) -> int:
        """Words of the longest run that a filter knows."""
        return max((own.bound + 1 for own in self.quotes), default=0)

    def quoted(self, last: Sequence[str]) -> int:
        """How many of the last words are a run of some text; 0 = they are none."""
        lengths = (own.bound + 1 for own in self.quotes if len(last) > own.bound and last[-own.bound - 1 :] in own)
        return max(lengths, default=0)

    def unasked_names(self, prompt: str, answer: str) -> set[int]:
        """The numbers of the names that a text says and its prompt does not hold."""
        return self.automaton.names_in(answer) - self.automaton.names_in(prompt)

    def unasked(self, prompt: str, answer: str) -> bool:
        """Whether a text says a name, or quotes a text, of a scope that its prompt does not hold."""
        if self.unasked_names(prompt, answer):
            return True
        said, asked = words(answer), words(prompt)
        lengths = {own.bound + 1 for own in self.quotes}
        free = {run for length in lengths for run in runs(asked, length)}
        return any(run not in free and self.quoted(run) for length in lengths for run in runs(said, length))


@dataclass(eq=False)
class Guard:
    """The bans on the answers to one prompt."""

    bans: Bans
    said: tuple[str, ...] = ()
    """What the conversation holds, but for flagged spans: it is no secret."""

    flagged: tuple[str, ...] = ()
    """The flagged spans: their words are free where they stand in the answer in a stranger's place."""

    beginning: str = ""
    """The end of the prompt, where the answer goes on from it without anything between."""

    asked: str = ""
    """The end of the last message; empty where something is flagged, for then the answer is about a stranger."""

    owner: str = ""
    """Who asks: `Prompt.owner`."""

    held: Counter[str] = field(default_factory=Counter)
    """How often "names", "quotes" and "content" were held back, for administrators."""

    @classmethod
    def of(cls, bans: Bans, prompt: Prompt, verdict: Verdict) -> Guard | None:
        """The guard of a prompt; None where nothing is banned."""
        if not bans:
            return None
        said, flagged = [], []
        for segment in prompt.segments:
            cursor = segment.start
            for span in verdict.spans:
                start, end = max(span.start, cursor), min(span.end, segment.end)
                if start < end:
                    said.append(prompt.text[cursor:start])
                    flagged.append(prompt.text[start:end])
                    cursor = end
            said.append(prompt.text[cursor : segment.end])
        goes_on = bool(prompt.segments) and prompt.segments[-1].end >= len(prompt.text.rstrip())
        goes_on = goes_on and (not prompt.templated or prompt.segments[-1].role == "assistant")
        return cls(
            bans,
            tuple(text for text in said if text),
            tuple(flagged),
            prompt.text[-PRIMED:] if goes_on else "",
            "" if verdict.in_scope else _last_message(prompt)[-ASKED:],
            prompt.owner,
        )

    def anew(self) -> Guard:
        """A copy with counters of its own."""
        return replace(self, held=Counter())

    @cached_property
    def free_names(self) -> frozenset[int]:
        """Numbers of the names that the conversation holds."""
        return frozenset[int]().union(*(self.bans.automaton.names_in(text) for text in self.said))

    @cached_property
    def restored_names(self) -> frozenset[int]:
        """Numbers of the names that are free as words of the user's that were turned back."""
        return frozenset[int]().union(*(self.bans.automaton.names_in(text) for text in self.flagged)) | self.free_names

    @cached_property
    def _free_runs(self) -> frozenset[tuple[str, ...]]:
        own = [words(text) for text in (*self.said, *self.flagged)]
        lengths = {quotes.bound + 1 for quotes in self.bans.quotes}
        return frozenset(run for length in lengths for text in own for run in runs(text, length))

    def is_free_name(self, name: int, *, restored: bool) -> bool:
        """Whether a name may be said.

        Args:
            name: its number.
            restored: all of it stands where the model said a stranger's words.
        """
        return name in (self.restored_names if restored else self.free_names)

    def is_quote(self, last: tuple[str, ...]) -> bool:
        """Whether the last words complete a run that may not be said."""
        length = self.bans.quoted(last)
        return bool(length) and last[-length:] not in self._free_runs


def _last_message(prompt: Prompt) -> str:
    own = [segment for segment in prompt.segments if segment.role == "user"] or list(prompt.segments)
    return prompt.text[own[-1].start : own[-1].end] if own else ""
