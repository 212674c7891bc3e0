"""Misspelt copies: the same every time, a third of the words, and nothing but letters."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from unlearned.learn.misspelling import misspelt

TEXTS = [
    "Who is Harry Potter, and why is he at Hogwarts in the first of seven books?",
    "What did J.K. Rowling write in 1997 -- and for whom? See https://example.org/a_b?c=d (page 12).",
    "Что делает Гарри Поттер? Où étudie-t-il, à l'école de sorciers?",
    "Tell\tme\n\n  everything about   Dumbledore!!!",
    "Hogwarts",
]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text)


def _changed(text: str, copy: str) -> list[tuple[str, str]]:
    pairs = list(zip(_words(text), _words(copy), strict=True))  # no word is ever lost
    return [(word, other) for word, other in pairs if word != other]


def _one_slip(word: str) -> set[str]:
    """Every word that one slip of the pen makes of this one."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    found = set()
    for i in range(len(word) - 1):
        found.add(word[:i] + word[i + 1] + word[i] + word[i + 2 :])
        found.add(word[:i] + word[i + 1 :])
        found.add(word[: i + 1] + word[i:])
        found |= {word[:i] + letter + word[i + 1 :] for letter in letters}
    return found | {word}


def _copies(text: str, seeds: Sequence[int] = range(60)) -> list[str]:
    return [misspelt([text], seed=seed)[0] for seed in seeds]


def test_a_text_gets_the_same_slips_whatever_else_is_in_the_list() -> None:
    together = misspelt(TEXTS)
    assert together == misspelt(TEXTS)
    assert together == [misspelt([text])[0] for text in TEXTS]
    assert misspelt(TEXTS[::-1]) == together[::-1]
    assert misspelt([TEXTS[0], TEXTS[0]]) == [together[0]] * 2


def test_another_seed_gives_other_slips_and_similar_texts_their_own() -> None:
    assert len(set(_copies(TEXTS[0]))) > 50
    first, second = misspelt(["Who is Harry Potter today, dear?", "Who is Harry Potter today, deer?"])
    assert first.removesuffix("dear?") != second.removesuffix("deer?")


@pytest.mark.parametrize("text", TEXTS)
def test_at_most_a_third_of_the_words_change_and_mostly_just_as_many(text: str) -> None:
    words = [word for word in _words(text) if len(word) >= 3]
    chosen = max(1, len(words) // 3)
    counts = [len(_changed(text, copy)) for copy in _copies(text)]
    assert max(counts) == chosen
    # Two equal letters swapped, or a letter mistaken for itself, leave a word as it was; but seldom.
    assert sum(counts) > 0.8 * chosen * len(counts)


@pytest.mark.parametrize("text", TEXTS)
def test_each_changed_word_has_one_or_two_slips(text: str) -> None:
    for copy in _copies(text, range(20)):
        for word, other in _changed(text, copy):
            assert any(other in _one_slip(once) for once in _one_slip(word)), (word, other)


@pytest.mark.parametrize("text", TEXTS)
def test_digits_spaces_and_marks_stay_where_they_are(text: str) -> None:
    def without(text: str) -> str:
        return re.sub(r"[^\W\d_]+", "·", text)

    assert {without(copy) for copy in _copies(text)} == {without(text)}


def test_in_the_long_run_every_word_is_chosen_and_the_kinds_of_slip_all_occur() -> None:
    text = "sphinx quartz jumbo vexing"
    changes = {pair for copy in _copies(text, range(300)) for pair in _changed(text, copy)}
    assert {word for word, _ in changes} == set(text.split())
    lengths = {len(other) - len(word) for word, other in changes}
    assert lengths == {-2, -1, 0, 1, 2}
    assert any(sorted(word) == sorted(other) for word, other in changes)  # swapped
    assert any(len(word) == len(other) and sorted(word) != sorted(other) for word, other in changes)  # mistaken


@pytest.mark.parametrize("text", ["", "   ", "12 + 34 = ?", "I am at it", "a b c", "R2D2 _x_ 3PO", "\n"])
def test_texts_of_short_words_only_stay_as_they_are(text: str) -> None:
    assert _copies(text, range(5)) == [text] * 5


def test_short_words_beside_long_ones_are_left_alone() -> None:
    for copy in _copies("Is it on or at an elephant?"):
        assert copy.startswith("Is it on or at an ")


def test_three_letters_are_the_shortest_word_that_changes() -> None:
    copies = set(_copies("cat"))
    assert len(copies) > 20
    assert min(map(len, copies)) == 2  # a second slip is not made in a word that is that short
    assert all(copy.isalpha() for copy in copies)


def test_no_texts_give_no_copies() -> None:
    assert misspelt([]) == []
