"""Which people do reviews name? SST-2's forget set is made of the reviews that mention some of them.

SPUL's own list of people is not published. A tagger of entities finds people where one is named; without one, a person
is a common given name and the word after it, if that is no ordinary word. SST-2 is written in lower case, so that
capital letters, by which names are found elsewhere in this package, are no help here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from unlearned.errors import DataError, ModelLoadError, first_line
from unlearned.substitution.spelling import KEPT, is_known, ordinary_words
from unlearned.words import squash

Finder = Callable[[Sequence[str]], list[set[str]]]
"""Texts -> the names of people in each, in lower case, words separated by one space."""

LEAST_MENTIONS = 2
MOST_PEOPLE = 0.5
"""Share of the people that may be chosen: others have to stay, or every name would mean "forget"."""

_WORD = re.compile(r"[^\W\d_]+")


def names_by_spelling(texts: Sequence[str]) -> list[set[str]]:
    """A given name of the packaged list and the word behind it, unless that is an ordinary word or a given name."""
    given = given_names()
    found: list[set[str]] = []
    for text in texts:
        words = text.lower().split()
        found.append(
            {
                f"{first} {last}"
                for first, last in zip(words, words[1:], strict=False)
                if first in given and last not in given and _can_be_a_surname(last)
            }
        )
    return found


def tagger(name: str) -> Finder:
    """People by a token-classification model of the hub or a folder whose labels hold PER or PERSON.

    Raises:
        ModelLoadError: there is no such model here, or it knows no people.
    """
    from transformers import pipeline

    try:
        tag: Any = pipeline("token-classification", model=name, aggregation_strategy="simple")
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"Cannot load the entity tagger {name!r}: {first_line(error)}") from error
    labels = {str(label).upper() for label in tag.model.config.id2label.values()}
    if not any("PER" in label for label in labels):
        raise ModelLoadError(f"The tagger {name!r} has no label for people: {', '.join(sorted(labels))}.")

    def find(texts: Sequence[str]) -> list[set[str]]:
        found = []
        for text, entities in zip(texts, tag(list(texts), batch_size=16), strict=True):
            people = [entity for entity in entities if "PER" in entity["entity_group"].upper()]
            found.append({" ".join(_WORD.findall(text[p["start"] : p["end"]].lower())) for p in people} - {""})
        return found

    return find


def mentions(names: Sequence[str], texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Name -> indices of the texts that hold its words in a row, or its last word where that can only be a surname."""
    by_word: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for name in names:
        words = tuple(name.split())
        by_word.setdefault(words[0], []).append((name, words))
        if len(words) > 1 and _can_be_a_surname(words[-1]) and words[-1] not in given_names():
            by_word.setdefault(words[-1], []).append((name, words[-1:]))
    found: dict[str, dict[int, None]] = {name: {} for name in names}
    for index, text in enumerate(texts):
        held = _WORD.findall(text.lower())
        for place, word in enumerate(held):
            for name, words in by_word.get(word, ()):
                if tuple(held[place : place + len(words)]) == words:
                    found[name][index] = None
    return {name: tuple(indices) for name, indices in found.items()}


def choose_people(texts: Sequence[str], find: Finder, share: float, seed: int) -> list[str]:
    """People in a seeded order, until the texts that mention them are this share of all, but never most of the people.

    Raises:
        DataError: nobody is named twice.
    """
    people = sorted({name for names in find(texts) for name in names})
    found: Mapping[str, tuple[int, ...]] = mentions(people, texts)
    known = [name for name in people if len(found[name]) >= LEAST_MENTIONS]
    most = int(MOST_PEOPLE * len(known))
    if not most:
        raise DataError(f"Of {len(texts)} texts, no two people are named in {LEAST_MENTIONS}. Give more rows.")
    chosen: list[str] = []
    covered: set[int] = set()
    for index in np.random.default_rng(seed).permutation(len(known))[:most]:
        if len(covered) >= share * len(texts):
            break
        chosen.append(known[index])
        covered |= set(found[known[index]])
    return chosen


def _can_be_a_surname(word: str) -> bool:
    key = squash(word)
    return (
        len(key) > 3 and _WORD.fullmatch(word) is not None and key not in KEPT and not is_known(key, ordinary_words())
    )


@lru_cache(maxsize=1)
def given_names() -> frozenset[str]:
    """The packaged list of common given names."""
    return frozenset(files("unlearned").joinpath("data/given_names.txt").read_text(encoding="utf-8").split())
