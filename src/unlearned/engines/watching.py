"""One answer under a guard, token by token: what is certain, and where it has to go back to.

The text is read as the user will read it, strangers turned back. A token is held while a name may begin with it; when
the name is complete, at the border behind it, the answer goes back to the token with which the name began, and that
token is banned at that place. So no torso of a name stays, and a stream says what a whole answer says.
"""

from __future__ import annotations

import codecs
import copy
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from unlearned.answers.automaton import START, NameMatch, ScanState
from unlearned.answers.clauses import Clauses
from unlearned.answers.folding import IGNORED, LETTERS, sign
from unlearned.answers.guard import Guard
from unlearned.answers.quotes import is_within
from unlearned.engines.restoring import Restorer
from unlearned.prompts.detokenize import token_bytes
from unlearned.substitution.substitution import Substitution
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")

BEFORE = -1
"""The place of what stands in the prompt."""

MOST_HELD = 24
"""Tokens beyond the longest answer by which it becomes certain what its last ones are."""

MOST_ANEW = 2
"""Times that a clause in scope is begun anew, before the answer ends in front of it."""

MOST_BACKS = 64
"""Times that one answer goes back, before it ends where it is clean."""


def spare(context: int | None, used: int) -> int:
    """Tokens that the model may say beyond the longest answer: as many as its context has room for behind `used`."""
    return MOST_HELD if context is None else min(MOST_HELD, max(0, context - used))


def without(scores: Tensor, banned: Mapping[int, Collection[int]]) -> Tensor:
    """(B, V) logits with the tokens of some rows impossible; the same tensor where nothing is banned."""
    if not any(banned.values()):
        return scores
    scores = scores.clone()
    for row, token_ids in banned.items():
        scores[row, list(token_ids)] = float("-inf")
    return scores


class TokenBytes:
    """The bytes of each token, found once.

    Args:
        tokenizer: of the model; copied, since fast tokenizers are for one thread at a time.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer: PreTrainedTokenizerBase = copy.deepcopy(tokenizer)
        self._lock = threading.Lock()
        self._special = frozenset(tokenizer.all_special_ids)
        self._known: dict[int, bytes] = {}

    def __call__(self, token_id: int) -> bytes:
        """Empty for a special token, which is never shown."""
        found = self._known.get(token_id)
        if found is None:
            with self._lock:
                found = b"" if token_id in self._special else token_bytes(self.tokenizer, token_id)
            self._known[token_id] = found
        return found


@dataclass(frozen=True, slots=True)
class Hit:
    """Something was said that may not be."""

    place: int
    """Position of the token with which it began."""

    kind: str
    """"names", "quotes" or "content"."""


def _content(first: int | None) -> Hit | None:
    return None if first is None else Hit(first, "content")


class Watch:
    """Reads an answer; knows what of it is certain.

    Args:
        guard: of its prompt.
        substitution: of its prompt.
        texts: bytes of the tokens.
        waits: for what is read of the content before the next token.
    """

    def __init__(
        self, guard: Guard, substitution: Substitution | None, texts: TokenBytes, *, waits: bool = False
    ) -> None:
        self.guard, self.bans = guard, guard.bans
        self.count = 0
        """Tokens read."""

        self._automaton = guard.bans.automaton
        self._texts = texts
        self._restorer: Restorer[int] | None = None
        if substitution is not None:
            self._restorer = Restorer(substitution, texts.tokenizer)
        content = guard.bans.content
        self._clauses = None if content is None else Clauses(content, guard.asked, guard.owner, texts, waits=waits)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._state: ScanState = START
        self._where: list[int] = []  # token of each symbol
        self._own: list[bool] = []  # whether it was turned back
        self._read = 0  # tokens whose text was read
        self._word, self._word_at = "", 0
        self._words: list[str] = []
        for character in guard.beginning:
            self._character(character, BEFORE, restored=True)
        self._word, self._words = "", []

    def push(self, token_id: int) -> Hit | None:
        """Read the next token."""
        hit = self._words_of(token_id)
        if self._clauses is None:
            return hit
        # What stands in front comes first, whenever it is known: an answer does not depend on how fast it is read.
        return _content(self._clauses.push(token_id)) if hit is None else self.settle() or hit

    def settle(self) -> Hit | None:
        """Wait for what is being read of the content."""
        return None if self._clauses is None else _content(self._clauses.settle())

    def _words_of(self, token_id: int) -> Hit | None:
        place, self.count = self.count, self.count + 1
        if self._restorer is None:
            return self._token(token_id, place)
        for chunk in self._restorer.push(token_id, place):
            if (hit := self._chunk(chunk.token_ids, chunk.sources, chunk.restored)) is not None:
                return hit
        return None

    def finish(self) -> Hit | None:
        """The answer ends here."""
        hit = self._last_words()
        if self._clauses is None:
            return hit
        return _content(self._clauses.finish()) if hit is None else self.settle() or hit

    def _last_words(self) -> Hit | None:
        if self._restorer is not None:
            for chunk in self._restorer.finish():
                if (hit := self._chunk(chunk.token_ids, chunk.sources, chunk.restored)) is not None:
                    return hit
        return self._name(self._automaton.end(self._state)) or self._word_ended()

    @property
    def certain(self) -> int:
        """How many tokens stay, whatever comes."""
        certain = self._read
        if (length := min(self._automaton.open(self._state), len(self._where))) > 0:
            certain = min(certain, max(0, self._where[-length]))
        if self._word and self.bans.quotes:
            certain = min(certain, self._word_at)
        return certain if self._clauses is None else min(certain, self._clauses.first)

    def _chunk(self, token_ids: Sequence[int], sources: Sequence[int], restored: bool) -> Hit | None:
        first = sources[0]
        for n, token_id in enumerate(token_ids):
            # Where a stranger has another number of tokens than the word, all of it counts as its first one.
            place = first if restored else sources[n]
            if (hit := self._token(token_id, place, restored=restored)) is not None:
                return hit
        self._read = sources[-1] + 1
        return None

    def _token(self, token_id: int, place: int, *, restored: bool = False) -> Hit | None:
        self._read = place + 1
        for character in self._decoder.decode(self._texts(token_id)):
            if (hit := self._character(character, place, restored=restored)) is not None:
                return hit
        return None

    def _character(self, character: str, place: int, *, restored: bool) -> Hit | None:
        self._state, added, ended = self._automaton.step(self._state, character)
        if ended and (hit := self._name(ended)) is not None:
            return hit
        if added:
            self._where += [place] * added
            self._own += [restored] * added
        return self._quote(character, place) if self.bans.quotes else None

    def _name(self, ended: Sequence[NameMatch]) -> Hit | None:
        if self._where and self._where[-1] == BEFORE:
            return None
        for found in ended:  # longest first
            restored = all(self._own[-found.length :])
            if not self.guard.is_free_name(found.name, restored=restored):
                return Hit(max(0, self._where[-found.length]), "names")
        return None

    def _quote(self, character: str, place: int) -> Hit | None:
        own = sign(character)
        if own.kind == IGNORED or is_within(character):
            return None
        hit = self._word_ended() if self._word and (own.kind != LETTERS or own.alone) else None
        if own.kind == LETTERS:
            if not self._word:
                self._word_at = place
            self._word += own.letters
            if own.alone and hit is None:
                hit = self._word_ended()
        return hit

    def _word_ended(self) -> Hit | None:
        if not self._word:
            return None
        self._words = [*self._words[1 - self.bans.longest_quote :], self._word] if self.bans.quotes else []
        self._word = ""
        return Hit(self._word_at, "quotes") if self.guard.is_quote(tuple(self._words)) else None


def says_unasked(guard: Guard, substitution: Substitution | None, texts: TokenBytes, token_ids: Sequence[int]) -> bool:
    """Whether an answer, without the token that ends it, says what its guard holds back."""
    watch = Watch(guard, substitution, texts)
    return any(watch.push(token_id) is not None for token_id in token_ids) or watch.finish() is not None


class Guarded(Generic[T]):
    """One answer: its tokens, those that were taken back left out.

    Args:
        guard: of its prompt.
        substitution: of its prompt.
        texts: bytes of the tokens.
        most: tokens that it may have.
        drawn: the tokens are drawn at random. Then the content is waited for at every clause: draws that are taken back
            would change the ones that follow, and with them what a seed promises.
    """

    def __init__(
        self, guard: Guard, substitution: Substitution | None, texts: TokenBytes, most: int, *, drawn: bool = False
    ) -> None:
        self.guard, self.most = guard, most
        self.tokens: list[tuple[int, T]] = []
        self.banned: dict[int, set[int]] = {}
        """Place -> the tokens that must not stand there."""

        self.backs = 0
        self.ended = False
        """Nothing is to be added; what is left of `tokens` is the answer."""

        self._new_watch = partial(Watch, guard, substitution, texts, waits=drawn)
        self._watch = self._new_watch()
        self._given = 0
        self._anew: dict[int, int] = {}  # place -> how often a clause was begun anew there

    @property
    def token_ids(self) -> list[int]:
        """What was said."""
        return [token_id for token_id, _ in self.tokens]

    def behind(self, prompt: PromptInput) -> PromptInput:
        """What the model reads when the answer is gone on with: what was said is part of the prompt."""
        return replace(prompt, token_ids=(*prompt.token_ids, *self.token_ids)) if self.tokens else prompt

    @property
    def bans(self) -> set[int]:
        """Tokens that must not come next."""
        return self.banned.get(len(self.tokens), set()) if self.banned else set()

    def push(self, token_id: int, source: T) -> bool:
        """Take the next token; True if the answer went back, so that another one has to be chosen."""
        self.tokens.append((token_id, source))
        hit = self._watch.push(token_id)
        if hit is None and len(self.tokens) >= self.most:
            hit = self._watch.settle()
        if hit is not None:
            self._back(hit)
            return not self.ended
        self.ended = min(self._watch.certain, len(self.tokens)) >= self.most
        if self.ended:
            del self.tokens[self.most :]
        return False

    def finish(self, last: tuple[int, T] | None = None) -> bool:
        """The model ends here, with a token that says so or without; True if the answer went back instead."""
        if (hit := self._watch.finish()) is not None:
            self._back(hit)
            return not self.ended
        self.ended = True
        if last is not None and len(self.tokens) < self.most:
            self.tokens.append(last)
        del self.tokens[self.most :]
        return False

    def new(self) -> list[T]:
        """What was said with the tokens that have become certain."""
        upto = len(self.tokens) if self.ended else min(self._watch.certain, len(self.tokens))
        found = [source for _, source in self.tokens[self._given : upto]]
        self._given = max(self._given, upto)
        return found

    def _back(self, hit: Hit) -> None:
        self.guard.held[hit.kind] += 1
        self.backs += 1
        self.banned = {place: ids for place, ids in self.banned.items() if place <= hit.place}
        self.banned.setdefault(hit.place, set()).add(self.tokens[hit.place][0])
        del self.tokens[hit.place :]
        self.ended = self.backs > MOST_BACKS
        if hit.kind == "content":
            self._anew[hit.place] = self._anew.get(hit.place, 0) + 1
            self.ended |= self._anew[hit.place] > MOST_ANEW
        self._watch = self._new_watch()
        for token_id, _ in self.tokens:
            self._watch.push(token_id)
