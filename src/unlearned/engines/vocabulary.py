"""Names over tokens: which tokens would complete a name here. Worked out once for each state that is met."""

from __future__ import annotations

import codecs
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from unlearned.answers.automaton import START, Automaton, NameMatch, ScanState
from unlearned.answers.folding import IGNORED, LETTERS, NONE, sign
from unlearned.answers.guard import Bans, Guard
from unlearned.engines.watching import TokenBytes

MOST_STATES = 4096
"""States whose tokens are kept."""


@dataclass(slots=True)
class _Letter:
    """A node of the tree of all tokens, by characters."""

    children: dict[str, _Letter] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    has_border: bool = False
    """Some token below goes over the border of a word."""


class Vocabulary:
    """All tokens of a tokenizer.

    Args:
        texts: their bytes.
        size: how many token ids the model knows.
    """

    def __init__(self, texts: TokenBytes, size: int) -> None:
        self._root = _Letter()
        self.broken: list[tuple[int, bytes]] = []
        """Tokens whose bytes are no whole characters."""

        for token_id in range(size):
            try:
                content = texts(token_id)
                text = content.decode("utf-8")
            except UnicodeDecodeError:
                self.broken.append((token_id, content))
                continue
            except (IndexError, OverflowError, TypeError):
                continue  # a row of the model's embeddings that is no token
            node, path = self._root, [self._root]
            for character in text:
                node = node.children.setdefault(character, _Letter())
                path.append(node)
            if text:
                node.tokens.append(token_id)
            border = False
            for place in range(len(text) - 1, -1, -1):
                own = sign(text[place])
                border = border or own.kind not in (LETTERS, IGNORED) or own.alone or text[place].isupper()
                path[place].has_border |= border

    def completing(self, automaton: Automaton, state: ScanState) -> list[tuple[int, tuple[NameMatch, ...]]]:
        """Tokens with which a name would stand there, with the names; some may go on to be longer words."""
        found: dict[int, tuple[NameMatch, ...]] = {}
        for token_id, names in self._walk(automaton, self._root, state, ()):
            found[token_id] = names
        return list(found.items())

    def _walk(
        self, automaton: Automaton, place: _Letter, state: ScanState, passed: tuple[NameMatch, ...]
    ) -> Iterator[tuple[int, tuple[NameMatch, ...]]]:
        if place.tokens and place is not self._root:
            names = passed + automaton.end(state)
            if names:
                yield from ((token_id, names) for token_id in place.tokens)
        for character, child in place.children.items():
            new, _, ended = automaton.step(state, character)
            is_lost = new.node == 0 and new.gap == NONE and not child.has_border and not passed and not ended
            if not is_lost:
                yield from self._walk(automaton, child, new, passed + ended)


class Forbidding:
    """The tokens that would complete a name of one guard, as an answer goes on.

    Args:
        automaton: of the names.
        vocabulary: the tokens.
        texts: their bytes.
    """

    def __init__(self, automaton: Automaton, vocabulary: Vocabulary, texts: TokenBytes) -> None:
        self.automaton, self.vocabulary, self.texts = automaton, vocabulary, texts
        self._known: dict[ScanState, list[tuple[int, tuple[NameMatch, ...]]]] = {}

    def tokens(self, guard: Guard, reading: AnswerScan) -> list[int]:
        """Ids that must not come next."""
        if not len(self.automaton):
            return []
        state = reading.state
        if state not in self._known:
            if len(self._known) >= MOST_STATES:
                self._known.clear()
            self._known[state] = self.vocabulary.completing(self.automaton, state)
        ids = [n for n, names in self._known[state] if any(not _is_free(guard, one) for one in names)]
        for token_id, content in self.vocabulary.broken:
            if any(not _is_free(guard, one) for one in reading.after(content)):
                ids.append(token_id)
        return ids


class Forbiddings:
    """The tokens of one model, for the artifacts that were asked about last.

    Args:
        texts: bytes of the tokens.
    """

    def __init__(self, texts: TokenBytes) -> None:
        self._texts = texts
        self._last: Forbidding | None = None

    def of(self, bans: Bans) -> Forbidding:
        """Finds the tokens that would complete one of these names."""
        if self._last is None or self._last.automaton is not bans.automaton:
            self._last = Forbidding(bans.automaton, self._vocabulary, self._texts)
        return self._last

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self._texts, len(self._texts.tokenizer))


def _is_free(guard: Guard, found: NameMatch) -> bool:
    return guard.is_free_name(found.name, restored=False)


class AnswerScan:
    """What the model has said so far, strangers and all.

    Args:
        guard: of its prompt.
        texts: bytes of the tokens.
    """

    def __init__(self, guard: Guard, texts: TokenBytes) -> None:
        self._automaton, self._texts = guard.bans.automaton, texts
        self.pending = b""
        """Bytes of a character that is not whole yet."""

        self.state = START
        self._characters(guard.beginning)

    def push(self, token_id: int) -> None:
        """Read a token."""
        text, self.pending = _decoded(self.pending + self._texts(token_id))
        self._characters(text)

    def after(self, content: bytes) -> tuple[NameMatch, ...]:
        """The names that would stand there after a token of these bytes."""
        text, _ = _decoded(self.pending + content)
        if not text:
            return ()
        state = self.state
        found: tuple[NameMatch, ...] = ()
        for character in text:
            state, _, ended = self._automaton.step(state, character)
            found += ended
        return found + self._automaton.end(state)

    def _characters(self, text: str) -> None:
        for character in text:
            self.state = self._automaton.step(self.state, character)[0]


def _decoded(content: bytes) -> tuple[str, bytes]:
    """The whole characters, and the bytes of one that is not."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(content)
    return text, decoder.getstate()[0]


def scanned(guard: Guard, texts: TokenBytes, token_ids: Sequence[int]) -> AnswerScan:
    """The reading of an answer's tokens."""
    reading = AnswerScan(guard, texts)
    for token_id in token_ids:
        reading.push(token_id)
    return reading


class AnswerScans:
    """The readings of answers in the making; each step goes on from the one before.

    Args:
        texts: bytes of the tokens.
    """

    def __init__(self, texts: TokenBytes) -> None:
        self._texts = texts
        self._last: dict[tuple[int, tuple[int, ...]], AnswerScan] = {}

    def step(self, said: Mapping[int, tuple[Guard, Sequence[int]]]) -> dict[int, AnswerScan]:
        """The readings at one step.

        Args:
            said: per row its guard and the tokens of its answer. A row may hold another row's answer of the step
                before, as with beams, where both answer the same prompt.
        """
        found: dict[int, AnswerScan] = {}
        kept: dict[tuple[int, tuple[int, ...]], AnswerScan] = {}
        for row, (guard, token_ids) in said.items():
            ids = tuple(token_ids)
            before = self._last.get((id(guard), ids[:-1])) if ids else None
            if before is None:
                found[row] = scanned(guard, self._texts, ids)
            else:
                found[row] = copy.copy(before)
                found[row].push(ids[-1])
            kept[id(guard), ids] = found[row]
        self._last = kept
        return found
