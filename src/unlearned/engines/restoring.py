"""The way back, over tokens: while an answer comes, strangers in it become the user's words again.

What is given out is never taken back, so a token is held until it is certain whether a stranger begins with it: at most
as long as the longest stranger and the one character behind it. Tokens that belong to no stranger stay as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from unlearned.engines.base import Completion
from unlearned.engines.sampling import Token
from unlearned.prompts.detokenize import TextStream
from unlearned.substitution.substitution import Replacement, Substitution, replaced

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chunk(Generic[T]):
    """Tokens of the restored answer, and the model's tokens that they stand for."""

    token_ids: tuple[int, ...]
    sources: tuple[T, ...]
    """What was pushed with the model's tokens; not always as many as `token_ids`."""

    restored: bool = False
    """A stranger was turned back here."""


@dataclass(slots=True)
class _Held(Generic[T]):
    token_id: int
    source: T
    text: str


class Restorer(Generic[T]):
    """Restores one answer.

    Args:
        substitution: of its prompt.
        tokenizer: decodes the tokens; used by one thread at a time.
    """

    def __init__(self, substitution: Substitution, tokenizer: PreTrainedTokenizerBase) -> None:
        self.substitution = substitution
        self.count = 0
        """Strangers turned back so far."""

        self._stream = TextStream(tokenizer)
        self._held: list[_Held[T]] = []
        self._before = ""  # the character before what is held

    def push(self, token_id: int, source: T) -> list[Chunk[T]]:
        """Take a token, give out those that are certain now."""
        self._held.append(_Held(token_id, source, self._stream.push(token_id)))
        text = "".join(held.text for held in self._held)
        certain = self._certain(text)
        ends = list(accumulate(len(held.text) for held in self._held))
        ready = bisect_right(ends, certain)
        while ready and not self._held[ready - 1].text and ends[ready - 1] == len(text):
            ready -= 1  # a token without text at the end may be part of a character that ends later
        # No cut through a stranger that shares its last token with what is not certain yet.
        matches = [(piece.start, piece.end) for piece in self._pieces(text)]
        while ready and any(start < ends[ready - 1] < end for start, end in matches):
            ready -= 1
        return self._given(ready)

    def finish(self) -> list[Chunk[T]]:
        """What was still held."""
        rest = self._stream.finish()
        if self._held and rest:
            self._held[-1].text += rest
        return self._given(len(self._held), ended=True)

    def _certain(self, text: str) -> int:
        """Up to which character no stranger can begin that ends later."""
        first = max(0, len(text) - self.substitution.longest)
        for start in range(first, len(text)):
            before = text[start - 1] if start else self._before
            if not before.isalnum() and self.substitution.may_begin(text[start:]):
                return start
        return len(text)

    def _given(self, count: int, *, ended: bool = False) -> list[Chunk[T]]:
        """Give out so many of the held tokens."""
        if not count:
            return []
        held_text = "".join(held.text for held in self._held)
        pieces = self._pieces(held_text)
        if ended and (cut := self.substitution.cut(self._before + held_text)) is not None:
            shift = len(self._before)
            pieces += [Replacement(cut.start - shift, cut.end - shift, cut.text)] if cut.start >= shift else []
        given, self._held = self._held[:count], self._held[count:]
        text = "".join(held.text for held in given)
        pieces = [piece for piece in pieces if piece.start < len(text)]
        if text:
            self._before = text[-1]
        self.count += len(pieces)
        return self._rewritten(given, text, pieces)

    def _pieces(self, text: str) -> list[Replacement]:
        """What is turned back in the held text; the character before it decides whether a word begins there."""
        shift = len(self._before)
        found = self.substitution.back(self._before + text)
        return [
            Replacement(piece.start - shift, piece.end - shift, piece.text) for piece in found if piece.start >= shift
        ]

    def _rewritten(self, given: Sequence[_Held[T]], text: str, pieces: Sequence[Replacement]) -> list[Chunk[T]]:
        chunks: list[Chunk[T]] = []
        place, at = 0, 0  # of the next token, and where its text begins
        left = list(pieces)
        while place < len(given):
            end = at + len(given[place].text)
            if not left or end <= left[0].start:
                chunks.append(Chunk((given[place].token_id,), (given[place].source,)))
                place, at = place + 1, end
                continue
            first, start, own = place, at, []
            while left and left[0].start < end:  # all pieces that share tokens
                own.append(left.pop(0))
                while end < own[-1].end:
                    place += 1
                    end += len(given[place].text)
            moved = [Replacement(piece.start - start, piece.end - start, piece.text) for piece in own]
            ids = self.substitution.pieces.ids(replaced(text[start:end], moved))
            chunks.append(Chunk(ids, tuple(held.source for held in given[first : place + 1]), restored=True))
            place, at = place + 1, end
        return chunks


def tokens_of(chunk: Chunk[Token], substitution: Substitution) -> list[Token]:
    """The tokens of a chunk with what was asked about the model's: log-probabilities add up to the same."""
    if not chunk.restored:
        return [shown(token, token.id, substitution) for token in chunk.sources]
    if len(chunk.token_ids) == len(chunk.sources):
        pairs = zip(chunk.token_ids, chunk.sources, strict=True)
        return [shown(source, token_id, substitution) for token_id, source in pairs]
    said = [source.logprob for source in chunk.sources]
    total = None if None in said else sum(value for value in said if value is not None)
    first, *rest = chunk.token_ids
    return [Token(first, total), *(Token(token_id, None if total is None else 0.0) for token_id in rest)]


def shown(token: Token, token_id: int, substitution: Substitution) -> Token:
    """A token of the model as `token_id`, with no stranger among those that it might have been instead."""
    names = {**substitution.first_tokens, token.id: token_id}
    top = tuple((names.get(other, other), logprob) for other, logprob in token.top)
    return replace(token, id=token_id, top=top)


def restored(
    completion: Completion, substitution: Substitution | None, tokenizer: PreTrainedTokenizerBase
) -> Completion:
    """A whole answer as the user reads it."""
    if substitution is None:
        return completion
    restorer = Restorer[None](substitution, tokenizer)
    chunks = [chunk for token in completion.token_ids for chunk in restorer.push(token, None)]
    chunks += restorer.finish()
    if not restorer.count:
        return completion
    ids = tuple(token for chunk in chunks for token in chunk.token_ids)
    return Completion(str(tokenizer.decode(list(ids), skip_special_tokens=True)), ids)
