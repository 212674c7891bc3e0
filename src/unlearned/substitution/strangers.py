"""Which stranger stands for a word? Keyed by artifact, scope and word: the same in every prompt, turn and process."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np

from unlearned.substitution.bank import Bank, WordSlot, as_name, in_case_of, kind_by_itself
from unlearned.substitution.entities import CODE, DATE, DAY, INITIAL, YEAR, Entity
from unlearned.substitution.spelling import is_acronym, singulars
from unlearned.substitution.table import NameTable
from unlearned.words import squash

T = TypeVar("T")

TRIES = 64
"""Draws of a code until one takes as many tokens."""


class Strangers:
    """Gives substitutes for the words of one scope.

    Args:
        table: names of the scope, and its key.
        bank: words of the model's tokenizer.
    """

    def __init__(self, table: NameTable, bank: Bank) -> None:
        self.table, self.bank = table, bank
        order = self._generator("letters")
        self._letters = _ring(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), order)
        days = _ring(list(range(1, 10)), order) | _ring(list(range(10, 29)), order)
        self._days = {**days, 29: 13, 30: 14, 31: 15}
        self._shift = -10 * int(order.integers(1, 6))  # of years: ages and the order of events stay
        self._first: dict[str, str | None] = {}

    def of(
        self, entity: Entity, surfaces: Sequence[WordSlot], is_taken: Callable[[str], bool] = lambda word: False
    ) -> str | None:
        """What stands for an entity, as it would be written by itself; None if nothing fits.

        Args:
            entity: a word, date or code.
            surfaces: the places where it stands in tokens; the substitute takes as many tokens in each.
            is_taken: words that must not be used.
        """
        if entity.form == YEAR:
            return self._fitting(self._year(entity.text), surfaces)
        if entity.form == DATE:
            return self._fitting(self._date(entity.text), surfaces)
        if entity.form == DAY:
            return self._fitting(self._day(entity.text), surfaces)
        if entity.form == INITIAL:
            return self._fitting(self._letters[entity.text], surfaces)
        if entity.form == CODE:
            return self._code(entity.text, surfaces)
        return self._word(entity.text, surfaces, is_taken)

    def candidates(self, name: str, kind: str) -> Iterator[str]:
        """Words that can stand for a name wherever it stands, the best first."""
        return self.bank.candidates(name, kind, self._generator(f"word {squash(name)}"), (), self.table.unusable)

    def _word(self, word: str, surfaces: Sequence[WordSlot], is_taken: Callable[[str], bool]) -> str | None:
        key = squash(word)
        known = self.table.known(word)
        if known is None:
            for stem, ending in singulars(as_name(word)):
                if self.table.known(stem) is not None:
                    found = self._word(stem, (), is_taken)
                    if found is not None and self._fitting(found + ending, surfaces):
                        return found + ending
        name = as_name(word)
        kind = known.kind if known else kind_by_itself(word, self.bank.is_ordinary)
        if key not in self._first:  # the one that is taken wherever it fits, which is nearly always
            skip = known.skip if known else 0
            self._first[key] = next(islice(self.candidates(name, kind), skip, None), None)
        first = self._first[key]
        if first is not None and not is_taken(first) and self._fitting(first, surfaces, in_case=True):
            return first
        others = self.bank.candidates(
            name,
            kind,
            self._generator(f"word {key}"),
            surfaces,
            lambda found: self.table.unusable(found) or is_taken(found),
        )
        found = next(others, None)
        return self._code(word, surfaces) if found is None and is_acronym(word) else found

    def _fitting(self, found: str, surfaces: Sequence[WordSlot], *, in_case: bool = False) -> str | None:
        for surface in surfaces:
            written = in_case_of(surface.word, found) if in_case else found
            if len(surface.tokens(written, self.bank.pieces)) != self.bank.count(surface):
                return None
        return found

    def _year(self, text: str) -> str:
        year = int(text)
        return f"{year + self._shift if year + self._shift >= 1000 else year - self._shift:04d}"

    def _day(self, text: str) -> str:
        """8, 08 or 8th; as many digits."""
        digits = text.rstrip("dhnrst")
        day = self._days.get(int(digits), int(digits))
        nth = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        return (f"{day:02d}" if digits[0] == "0" else str(day)) + (nth if digits != text else "")

    def _date(self, text: str) -> str:
        """The month stays; 05/11 is day/month wherever it can be."""
        parts = re.split(r"(\D)", text)
        year, day = (0, 4) if len(parts[0]) == 4 else (4, 0 if int(parts[2]) <= 12 else 2)
        parts[year], parts[day] = self._year(parts[year]), self._day(parts[day])
        return "".join(parts)

    def _code(self, text: str, surfaces: Sequence[WordSlot]) -> str | None:
        """A digit for a digit, a letter for a letter."""
        generator = self._generator(f"code {text}")
        for _ in range(TRIES):
            drawn = [
                str(generator.integers(10))
                if sign.isdigit()
                else chr(ord("A") + int(generator.integers(26)))
                if sign.isalpha()
                else sign
                for sign in text
            ]
            found = "".join(drawn)
            if found != text and self._fitting(found, surfaces):
                return found
        return None

    def _generator(self, purpose: str) -> np.random.Generator:
        message = b"stranger\0" + self.table.scope.encode() + b"\0" + purpose.encode()
        digest = hmac.new(self.table.secret, message, hashlib.sha256).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def _ring(values: Sequence[T], generator: np.random.Generator) -> dict[T, T]:
    """Each value's successor in a random order: never itself."""
    order = [values[int(index)] for index in generator.permutation(len(values))]
    return dict(zip(order, [*order[1:], order[0]], strict=True))
