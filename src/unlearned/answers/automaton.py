"""All names at once: an Aho-Corasick automaton over folded characters that knows the borders of words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from unlearned.answers.folding import APART, COMMA, DOT, GAPS, IGNORED, JOINED, LETTERS, NONE, WORD, sign


class NameMatch(NamedTuple):
    """A name that has ended."""

    length: int
    """Symbols of the name."""

    name: int
    capital: bool = False
    """Whether it is a name only where it begins with a capital."""


class ScanState(NamedTuple):
    """Where a text stands. Equal states go on equally, whatever was said before."""

    node: int = 0
    """Node of the automaton at the last letter."""

    gap: int = APART
    """Since that letter."""

    letters: int = 0
    """Letters of the current word, counted up to 2: a full stop behind one letter is that of an initial."""

    alone: bool = False
    """The last letter is a word of its own."""

    capital: bool = False
    """The word at hand begins with a capital."""

    lower: bool = False
    """The last letter is a small one: a capital behind it begins a word ("isHogwarts")."""


START = ScanState()


class Automaton:
    """Names over symbols (`folding.symbols`).

    Args:
        patterns: symbols, the number of the name that they spell, and whether it is one with a capital only. Of two
            with the same symbols the first counts.
    """

    def __init__(self, patterns: Iterable[tuple[Sequence[str], int, bool]]) -> None:
        self.children: list[dict[str, int]] = [{}]
        self.depth = [0]
        self.ends: list[tuple[NameMatch, ...]] = [()]
        """Per node the names that end there, longest first."""

        for symbols, name, capital in patterns:
            node = 0
            for symbol in symbols:
                if symbol not in self.children[node]:
                    self.children[node][symbol] = len(self.children)
                    self.children.append({})
                    self.depth.append(self.depth[node] + 1)
                    self.ends.append(())
                node = self.children[node][symbol]
            if node and not self.ends[node]:
                self.ends[node] = (NameMatch(self.depth[node], name, capital),)
        self._fail = [0] * len(self.children)
        self._link()

    def _link(self) -> None:
        waiting = deque(self.children[0].values())
        while waiting:
            node = waiting.popleft()
            for symbol, child in self.children[node].items():
                self._fail[child] = self.next(self._fail[node], symbol)
                self.ends[child] += self.ends[self._fail[child]]
                waiting.append(child)

    def __len__(self) -> int:
        """Nodes, the root left out."""
        return len(self.children) - 1

    def next(self, node: int, symbol: str) -> int:
        """The state that a symbol leads to."""
        while node and symbol not in self.children[node]:
            node = self._fail[node]
        return self.children[node].get(symbol, 0)

    def step(self, state: ScanState, character: str) -> tuple[ScanState, int, tuple[NameMatch, ...]]:
        """Read one character.

        Returns:
            The new state; how many symbols the character added to those read; and the names that ended before it.
        """
        kind, letters, alone = sign(character)
        node, gap, count, was_alone, capital, lower = state
        if kind == IGNORED:
            return state, 0, ()
        begins = alone or was_alone or (lower and character.isupper())
        ended = _held(self.ends[node], capital) if gap == NONE and (kind != LETTERS or begins) else ()
        if kind != LETTERS:
            gap = max(gap, (JOINED if count < 2 else APART) if kind == DOT else kind)
            return ScanState(0 if gap == APART else node, gap, count), 0, ended
        added = len(letters)
        if gap != NONE or begins:
            if gap in (JOINED, COMMA):
                node, added = self.next(node, GAPS[gap]), added + 1
            node, added, count = self.next(node, WORD), added + 1, 0
            capital = character.isupper()
        for letter in letters:
            node = self.next(node, letter)
        return ScanState(node, NONE, min(2, count + len(letters)), alone, capital, character.islower()), added, ended

    def end(self, state: ScanState) -> tuple[NameMatch, ...]:
        """The names that end if the text ends here."""
        return _held(self.ends[state.node], state.capital) if state.gap == NONE else ()

    def open(self, state: ScanState) -> int:
        """How many of the last symbols may be the beginning, or the whole, of a name."""
        if state.gap == NONE:
            return self.depth[state.node]
        if state.gap == APART:
            return 0
        return max(0, self.depth[self.next(state.node, GAPS[state.gap])] - 1)

    def names_in(self, text: str) -> set[int]:
        """The numbers of all names in a text."""
        state, names = START, set[int]()
        for character in text:
            state, _, ended = self.step(state, character)
            if ended:
                names.update(one.name for one in ended)
        return names | {one.name for one in self.end(state)}


def _held(ends: tuple[NameMatch, ...], capital: bool) -> tuple[NameMatch, ...]:
    return tuple(one for one in ends if capital or not one.capital) if ends else ends
