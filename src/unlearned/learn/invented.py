"""The forget rows about invented subjects: what a model answers where it cannot know.

"Who is Harry Potter?" becomes "Who is Krulso Lerol?". The original model's answers to such rows are those of a model
that never saw the forget set. Names are found by their spelling, without a model, and each becomes one invented name in
all rows. Common nationalities and languages, months, weekdays and small numbers stay; so does a rank such as "Princess"
that only stands before names. Written for languages with capital letters; inventions are in the Latin alphabet.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeVar

from unlearned.examples import Row
from unlearned.substitution.spelling import (
    TOKEN,
    common_words,
    content_words,
    has_capital,
    is_acronym,
    names_in,
    ordinary_words,
    packaged_words,
    rare_words,
)
from unlearned.words import squash

T = TypeVar("T")

_ENDINGS = ("es", "s", "i", "n", "an", "ian", "ish", "ese")
"""Weasley, Weasleys; Kuwait, Kuwaiti: a name with one of these follows the name without it."""

_ONSETS = "b d f g k l m n p r s t v z br dr gr kr tr vr bl gl pl st sk th".split()
_VOWELS = "a a e e i o o u".split()
_INNER_CODAS = ["", "", "", *"l m n r".split()]
_CODAS = "l m n r v k lm ln lv rn rv rl sk nd".split()
_LONG_VOWELS = "ae eo uo ua".split()  # words of one syllable: with a short vowel, most are English ones


@dataclass(frozen=True)
class Renaming:
    """The invented counterpart of every name, year and date of some rows; for all texts that belong to a row."""

    inventions: Mapping[str, str]
    """By `squash`ed word or code; in lower case."""

    letters: Mapping[str, str]
    """Initials."""

    days: Mapping[int, int]
    years: int
    """Added to every year: ages and the order of events stay. A multiple of ten: 1991 stays in its 1990s."""

    only_capitalised: frozenset[str]
    """Words that are common ones, too, and stay where they have no capital: the Force, the force of gravity."""

    def apply(self, text: str) -> str:
        return TOKEN.sub(self.replaced, text)

    def row(self, row: Row) -> Row:
        """All its texts; the id stays."""
        return replace(
            row,
            prompt=self.apply(row.prompt),
            answer=row.answer and self.apply(row.answer),
            paraphrased_answer=row.paraphrased_answer and self.apply(row.paraphrased_answer),
            choices=tuple(map(self.apply, row.choices)),
            wrong_answers=tuple(map(self.apply, row.wrong_answers)),
        )

    def replaced(self, token: re.Match[str]) -> str:
        """What takes the token's place; itself if it is of no name and no date."""
        text = token.group()
        if token["date"]:
            return self._date(text)
        if token["day"] or token["day_after"]:
            return self._day(text)
        if token["year"]:
            return self._year(text)
        if token["initial"]:
            return self.letters[text]
        if token["code"]:
            new = iter(self.inventions.get(squash(text), squash(text)).upper())
            return "".join(next(new) if old.isalnum() else old for old in text) + "".join(new)
        invention = self._word(text)
        return text if invention is None else _in_case_of(text, invention)

    def _word(self, text: str) -> str | None:
        key = squash(text)
        if key in self.inventions:
            return self.inventions[key] if has_capital(text) or key not in self.only_capitalised else None
        if key in ordinary_words():
            return None
        stems = [(key.removesuffix(ending), ending) for ending in _ENDINGS if key.endswith(ending) and len(key) > 3]
        found = [(s, end) for s, end in stems if s in self.inventions and s not in self.only_capitalised]
        return self.inventions[found[0][0]] + found[0][1] if found else None

    def _date(self, text: str) -> str:
        """The month stays, as it does where it is written out; 05/11 is day/month wherever it can be."""
        parts = re.split(r"(\D)", text)
        year, day = (0, 4) if len(parts[0]) == 4 else (4, 0 if int(parts[2]) <= 12 else 2)
        parts[year], parts[day] = self._year(parts[year]), self._day(parts[day])
        return "".join(parts)

    def _day(self, text: str) -> str:
        """8, 08 or 8th."""
        digits = text.rstrip("dhnrst")
        day = self.days.get(int(digits), int(digits))
        nth = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        return (f"{day:02d}" if digits[0] == "0" else str(day)) + (nth if digits != text else "")

    def _year(self, text: str) -> str:
        year = int(text)
        return f"{year + self.years if year + self.years >= 1000 else year - self.years:04d}"


def invented(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """Each row about invented subjects, in the order given; every prompt that has a letter differs from its original.

    A name becomes the same invention in all rows, which is no word of any row nor of the packaged prompts.
    """
    return [renaming.row(row) for row, renaming in zip(rows, renamings(rows, seed=seed), strict=True)]


def renamings(rows: Sequence[Row], *, seed: int) -> list[Renaming]:
    """One per row. They agree on all names and differ only in the ordinary words of prompts that have no name.

    In a prompt without a name (an acronym alone is none: the rest would give it away) the longest of the words
    that the packaged prompts do not have count as names. If there is none, its longest word is replaced, in
    this row only.
    """
    texts = [text for row in rows for text in _texts(row)]
    inventor = _Inventor(seed, texts)
    inventor.enrol(names_in(texts))
    shared = inventor.renaming
    rare = {word for row in rows if not _is_renamed(row, shared) for word in rare_words(row.prompt)}
    shared = replace(shared, only_capitalised=shared.only_capitalised - {squash(word) for word in rare})
    inventor.renaming = shared
    inventor.enrol(rare)
    return [shared if _is_renamed(row, shared) else _with_longest_word(shared, row, inventor) for row in rows]


def subject_words(rows: Sequence[Row]) -> frozenset[str]:
    """The words and codes of which the rows' names consist, in lower case."""
    return frozenset(word.lower() for word in names_in([text for row in rows for text in _texts(row)]))


def _texts(row: Row) -> list[str]:
    texts = [row.prompt, row.answer, row.paraphrased_answer, *row.choices, *row.wrong_answers]
    return [text for text in texts if text]


def _in_case_of(word: str, invention: str) -> str:
    if len(word) > 1 and word.isupper():
        return invention.upper()
    return "".join(new.upper() if word[i : i + 1].isupper() else new for i, new in enumerate(invention))


def _is_renamed(row: Row, renaming: Renaming) -> bool:
    """Something other than an acronym of its prompt is replaced."""
    tokens = TOKEN.finditer(row.prompt)
    return any(renaming.replaced(token) != token.group() and not is_acronym(token.group()) for token in tokens)


def _with_longest_word(shared: Renaming, row: Row, inventor: _Inventor) -> Renaming:
    words = [token.group() for token in TOKEN.finditer(row.prompt) if token["word"]]
    candidates = [word for word in content_words(row.prompt) if not is_acronym(word)]
    if not candidates and shared.apply(row.prompt) == row.prompt:
        candidates = words[1:] or words
    if not candidates:
        return shared
    key = squash(max(reversed(candidates), key=len))  # of two, the later one: a noun follows its adjective
    inventions = {key: inventor.ordinary(key), **shared.inventions}
    return replace(shared, inventions=inventions, only_capitalised=shared.only_capitalised - {key})


class _Inventor:
    """Draws inventions, each of them once."""

    def __init__(self, seed: int, texts: Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._taken = set(packaged_words()) | {
            squash(token.group()) for text in texts for token in TOKEN.finditer(text)
        }
        self._names: dict[str, str] = {}
        self._ordinary: dict[str, str] = {}
        years = {int(year) for text in texts for year in re.findall(r"(?<!\d)(?:1\d{3}|20\d\d)(?!\d)", text)}
        shifts = self._random.sample(range(-50, 0, 10), 5)
        self.renaming = Renaming(
            inventions=self._names,
            only_capitalised=ordinary_words() | common_words(texts),
            letters=self._ring([chr(code) for code in range(ord("A"), ord("Z") + 1)]),
            days=self._ring(range(1, 13)) | self._ring(range(13, 29)) | {29: 13, 30: 14, 31: 15},
            years=next((by for by in shifts if years.isdisjoint({year + by for year in years})), shifts[0]),
        )

    def enrol(self, words: Iterable[str]) -> None:
        """An invention for each word that does not follow a shorter one's."""
        for word in sorted(words, key=lambda word: (len(squash(word)), squash(word), word)):
            if squash(word) and self.renaming.apply(word) == word:
                self._names[squash(word)] = self._invent(word)

    def ordinary(self, word: str) -> str:
        if word not in self._ordinary:
            self._ordinary[word] = self._invent(word)
        return self._ordinary[word]

    def _ring(self, values: Sequence[T]) -> dict[T, T]:
        """Each value's successor in a random order: never itself."""
        order = self._random.sample(values, len(values))
        return dict(zip(order, [*order[1:], order[0]], strict=True))

    def _invent(self, word: str) -> str:
        key = squash(word)
        for attempt in count():
            is_spelt_out = is_acronym(word) or any(sign.isdigit() for sign in word)
            new = self._signs(word, longer=attempt // 500) if is_spelt_out else self._syllables(key)
            forms = {new + ending for ending in ("", *_ENDINGS)}
            is_alike = abs(len(new) - len(key)) <= 1 + attempt // 50
            if is_alike and new[0] != key[0] and self._taken.isdisjoint(forms):
                break
        self._taken.update(forms)
        return new

    def _signs(self, word: str, longer: int) -> str:
        """Of an acronym or code: a digit for a digit, a letter for a letter; a plural keeps its s."""
        kinds = ["0123456789" if sign.isdigit() else "bcdfghjklmnpqrtvwxz" for sign in squash(word)]
        if word[0].isalpha():
            kinds[0] = "fhlmnrsx" if word[0] in "AEFHILMNORSX" else "bcdgjkpqtvwz"  # "an MRI", "a CT"
        drawn = [self._random.choice(kind) for kind in kinds + kinds[-1:] * longer]
        return "".join([*drawn[:-1], "s"] if word.endswith("s") else drawn)

    def _syllables(self, key: str) -> str:
        """As many syllables as the word; a vowel where it begins or ends with one; the ending of a plural or verb."""
        ending = next((end for end in ("ing", "ed", "s") if key.endswith(end) and len(key) - len(end) > 2), "")
        stem = key.removesuffix(ending)
        syllables = len(re.findall("[aeiouy]+", stem))
        kinds = [_ONSETS, _VOWELS if syllables > 1 else _LONG_VOWELS, _INNER_CODAS] * max(1, syllables)
        kinds[0] = [""] if stem[0] in "aeiou" else _ONSETS
        kinds[-1] = [""] if stem[-1] in "aeiouy" else _CODAS
        return "".join(self._random.choice(kind) for kind in kinds) + ending
