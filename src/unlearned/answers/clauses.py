"""An answer's clauses as they come, each read when it has ended."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from unlearned.answers.content import ContentReader
from unlearned.classify.windows import clauses

LONGEST = 48
"""Tokens after which a clause is read even if it goes on: so long is a token held at most."""


class Clauses:
    """Cuts an answer into clauses, and has each read as the model says it, strangers and all.

    Args:
        content: reads them.
        asked: the message that is answered; empty where it is about a scope itself.
        owner: who asks.
        texts: bytes of a token.
    """

    def __init__(self, content: ContentReader, asked: str, owner: str, texts: Callable[[int], bytes]) -> None:
        self._content, self._asked, self._owner, self._texts = content, asked, owner, texts
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text, self._before = "", ""
        self._places: list[int] = []  # token of each character
        self._count = 0

    @property
    def first(self) -> int:
        """The token with which the clause begins that has not been read; those before it are clean."""
        return self._places[0] if self._places else self._count

    def push(self, token_id: int) -> int | None:
        """Read the next token; the first token of a clause that is in scope."""
        place, self._count = self._count, self._count + 1
        for character in self._decoder.decode(self._texts(token_id)):
            if self._text or not character.isspace():
                self._text += character
                self._places.append(place)
        found = clauses(self._text, 0, len(self._text))
        border = found[-1][0] if len(found) > 1 else 0
        if not border and place - self.first + 1 >= LONGEST:
            border = len(self._text)
        return self._read(border) if border else None

    def finish(self) -> int | None:
        """The answer ends here."""
        return self._read(len(self._text)) if self._text.strip() else None

    def _read(self, border: int) -> int | None:
        clause, first = self._text[:border].strip(), self.first
        if self._content.in_scope(clause, asked=self._asked, before=self._before, owner=self._owner):
            return first
        self._text, self._places, self._before = self._text[border:], self._places[border:], clause
        return None
