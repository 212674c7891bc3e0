"""An answer's clauses as they come: each is read when it has ended, while the model goes on."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from unlearned.answers.content import ContentReader
from unlearned.classify.windows import clauses

LONGEST = 48
"""Tokens after which a clause is read even if it goes on, and is waited for: so long is a token held at most."""


class Clauses:
    """Cuts an answer into clauses, and has each read as the model says it, strangers and all.

    Args:
        content: reads them.
        asked: the message that is answered; empty where it is about a scope itself.
        owner: who asks.
        texts: bytes of a token.
        waits: wait for what was read before the next token.
    """

    def __init__(
        self, content: ContentReader, asked: str, owner: str, texts: Callable[[int], bytes], *, waits: bool = False
    ) -> None:
        self._content, self._asked, self._owner, self._texts = content, asked, owner, texts
        self._waits = waits
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text, self._before = "", ""
        self._places: list[int] = []  # token of each character
        self._count = 0
        self._pending: deque[tuple[int, Future[bool]]] = deque()  # first tokens of the clauses that are being read

    @property
    def first(self) -> int:
        """The token with which the first clause begins that is not known to be clean; those before it are."""
        self._found(-1)
        return self._pending[0][0] if self._pending else self._open

    def push(self, token_id: int) -> int | None:
        """Read the next token; the first token of a clause that was found in scope, this one or one before."""
        place, self._count = self._count, self._count + 1
        for character in self._decoder.decode(self._texts(token_id)):
            if self._text or not character.isspace():
                self._text += character
                self._places.append(place)
        found = clauses(self._text, 0, len(self._text))
        border = found[-1][0] if len(found) > 1 else 0
        if not border and self._count - self._open >= LONGEST:
            border = len(self._text)
        if border:
            self._read(border)
        return self.settle() if self._waits else self._found(self._count - LONGEST)

    def settle(self) -> int | None:
        """Wait for what is being read; the first token of the first clause that is in scope."""
        return self._found(self._count)

    def finish(self) -> int | None:
        """The answer ends here."""
        if self._text.strip():
            self._read(len(self._text))
        return self.settle()

    @property
    def _open(self) -> int:
        """The token with which the clause begins that has not ended."""
        return self._places[0] if self._places else self._count

    def _read(self, border: int) -> None:
        clause, first = self._text[:border].strip(), self._open
        verdict = self._content.read(clause, asked=self._asked, before=self._before, owner=self._owner)
        self._pending.append((first, verdict))
        self._text, self._places, self._before = self._text[border:], self._places[border:], clause

    def _found(self, upto: int) -> int | None:
        """The first clause in scope, of those that are known by now or begin in front of, or at, the token `upto`."""
        while self._pending and (self._pending[0][0] <= upto or self._pending[0][1].done()):
            if self._pending[0][1].result():
                return self._pending[0][0]
            self._pending.popleft()
        return None
