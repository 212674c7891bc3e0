"""Which words of a text identify its subject? Names by spelling, names of the scope in any casing, dates and codes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unlearned.substitution.bank import Bank
from unlearned.substitution.spelling import KEPT, TOKEN, has_capital, is_acronym, names_in, starts_sentence
from unlearned.substitution.table import NameTable
from unlearned.words import squash

WORD, CODE, YEAR, DATE, DAY, INITIAL, PHRASE = "word", "code", "year", "date", "day", "initial", "phrase"

GROUPS = {
    WORD: ("word",),
    CODE: ("code",),
    YEAR: ("year",),
    DATE: ("date",),
    DAY: ("day", "day_after"),
    INITIAL: ("initial",),
}
"""Form -> groups of `TOKEN`."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Characters `[start, end)` of a text that identify somebody or something."""

    start: int
    end: int
    text: str
    form: str = WORD
    """A word, or what else it is: a code, a year, a date, a day, an initial."""

    @property
    def key(self) -> str:
        """Key that all casings of a word share."""
        return squash(self.text) if self.form in (WORD, CODE) else self.text


def entities(text: str, tables: Sequence[NameTable], bank: Bank) -> list[Entity]:
    """All of a text, in order.

    Args:
        text: one message.
        tables: names of scopes.
        bank: knows which words are common ones.
    """
    by_spelling = {squash(name) for name in names_in([text])}
    return list(_found(text, by_spelling, tables, bank))


def _found(text: str, by_spelling: set[str], tables: Sequence[NameTable], bank: Bank) -> Iterator[Entity]:
    for word in words_in(text):
        named = is_scope_name(word.text, tables) or _is_named(word, text, by_spelling, bank)
        if word.form != WORD or (named and stands_alone(word, text)):
            yield word


def words_in(text: str, start: int = 0, end: int | None = None) -> Iterator[Entity]:
    """The words, dates and codes of a text; what stands together without a gap (McGonagall) is one word.

    Args:
        text: any text.
        start: first character that is looked at.
        end: the one behind the last; None = the text's.
    """
    last: Entity | None = None
    for token in TOKEN.finditer(text, start, len(text) if end is None else end):
        form = next(form for form, groups in GROUPS.items() if any(token[group] for group in groups))
        if last is not None and last.end == token.start() and last.form == form == WORD:
            last = Entity(last.start, token.end(), last.text + token.group())
            continue
        if last is not None:
            yield last
        last = Entity(token.start(), token.end(), token.group(), form)
    if last is not None:
        yield last


def stands_alone(word: Entity, text: str) -> bool:
    """No letter or digit right beside it: a name inside a longer sign is none."""
    return not (text[word.start - 1 : word.start].isalnum() or text[word.end : word.end + 1].isalnum())


def is_scope_name(word: str, tables: Sequence[NameTable]) -> bool:
    """Whether a word is a name of a scope as it is written here: a common word needs a capital for that."""
    if squash(word) in KEPT:
        return False
    known = [found for table in tables if (found := table.known_in_singular(word)) is not None]
    return any(has_capital(word) or not name.ordinary for name in known)


def _is_named(word: Entity, text: str, by_spelling: set[str], bank: Bank) -> bool:
    """Whether this very word is a name; the first word of a sentence has a capital anyway."""
    if not any(squash(token.group()) in by_spelling for token in TOKEN.finditer(word.text)):
        return False
    before, behind = text[: word.start], text[word.end :]
    if not has_capital(word.text):
        return before[-1:] in ("-", "'", "’")
    if not starts_sentence(before) or is_acronym(word.text):
        return True
    followed = re.match(r"(?:['’]s)?[ -][A-Z]\w", behind) is not None
    return followed or not bank.is_ordinary(squash(word.text))
