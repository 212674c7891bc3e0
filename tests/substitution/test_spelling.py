"""Names are told from common words by their spelling, in any place of a sentence."""

from __future__ import annotations

import re

from unlearned.substitution.spelling import (
    RARE_WORDS,
    TOKEN,
    common_words,
    content_words,
    has_capital,
    is_acronym,
    is_known,
    is_rank,
    names_in,
    rare_words,
    singulars,
    starts_sentence,
)


def tokens(text: str) -> list[tuple[str, str]]:
    """What each token is, and its text."""
    found = []
    for token in TOKEN.finditer(text):
        form = next(name for name, value in token.groupdict().items() if value is not None)
        found.append((form, token.group()))
    return found


def test_dates_years_days_codes_and_initials_are_told_from_words() -> None:
    for text, expected in {
        "08/09/1956": [("date", "08/09/1956")],
        "1956-09-08": [("date", "1956-09-08")],
        "8th of May": [("day", "8th"), ("word", "of"), ("word", "May")],
        "May 8th": [("word", "May"), ("day_after", "8th")],
        "in 1985, the 1980s": [("word", "in"), ("year", "1985"), ("word", "the"), ("year", "1980"), ("word", "s")],
        "$1985 or 1985.5 or 3.1985": [("word", "or"), ("word", "or")],
        "2100": [],
        "ISBN 978-3-16": [("word", "ISBN"), ("code", "978-3-16")],
        "B612 and 12": [("code", "B612"), ("word", "and")],
        "J.R.R. Tolkien": [("initial", "J"), ("initial", "R"), ("initial", "R"), ("word", "Tolkien")],
        "McGonagall": [("word", "Mc"), ("word", "Gonagall")],
        "Zoe\u0301 日本": [("word", "Zoe\u0301"), ("word", "日本")],
        "": [],
    }.items():
        assert tokens(text) == expected, text


def test_capitals_make_a_name_but_for_those_that_any_word_has_there() -> None:
    for text, expected in {
        "Who is Harry Potter?": ["Harry", "Potter"],
        "Describe the friends of Harry.": ["Harry"],
        "Voldemort is feared.": ["Voldemort"],
        "What is the capital of France?": ["France"],
        "He ate. Bread is good.": [],
        "Dr. Watson met Mr. Holmes.": ["Watson", "Holmes"],
        "Vitamin C helped Henry VIII.": ["Henry"],
        "Everything EXCEPT that": [],
        "Isn't it Hermione's?": ["Hermione"],
        "Ji-yeon and Ta'aysha, Ta’aysha, Paris-based": ["Ji", "yeon", "Ta", "aysha", "Paris"],
        "I'll say Harry'll go, and HAL'd": ["Harry", "HAL"],
        "On Monday in French": [],
        "Princess Leia and the princess": ["Leia"],
        "": [],
    }.items():
        assert names_in([text]) == expected, text


def test_one_spelling_of_each_name_is_kept_and_capitals_are_the_last_choice() -> None:
    assert names_in(["Meet NASA and NASAS.", "He saw VADER.", "He saw Vader."]) == ["NASA", "NASAS", "Vader"]
    assert names_in(["He saw Vader.", "He saw VADER."]) == ["Vader"]


def test_an_inflection_is_known_by_its_stem() -> None:
    words = frozenset({"bake", "cat", "stop", "go"})
    for key, known in {"bakes": True, "baked": True, "baking": True, "cats": True, "gos": False, "cat": True}.items():
        assert is_known(key, words) is known, key
    assert not is_known("", words)
    assert not is_known("s", words)


def test_a_sentence_begins_at_the_beginning_and_behind_its_marks() -> None:
    for before, begins in {
        "": True,
        "  ": True,
        "He left. ": True,
        "He said: “": True,
        "line\n": True,
        "Mr. ": False,
        "J. ": False,
        "St. ": False,
        "of ": False,
        "a, ": False,
        "- ": True,
        "etc.) ": False,
    }.items():
        assert starts_sentence(before) is begins, before


def test_ranks_acronyms_plurals_and_capitals() -> None:
    [rank] = [token for token in TOKEN.finditer("the King Harry, a king") if is_rank(token)]
    assert rank.group() == "King"
    for word, found in {"DNA": True, "CDs": True, "D": False, "Dna": False, "ABCDEFG": False, "Ss": False}.items():
        assert is_acronym(word) is found, word
    assert singulars("Potters") == [("Potter", "s")]
    assert singulars("Foxes") == [("Foxe", "s"), ("Fox", "es")]
    assert singulars("As") == singulars("Potter") == []
    assert [has_capital(word) for word in ("iPhone", "ß", "É", "日本", "")] == [True, False, True, False, False]


def test_words_that_are_as_often_written_small_are_common() -> None:
    texts = ["The Force is a force.", "Harry, Harry and harry", "A Stone"]
    found = common_words(texts)
    assert {"force", "is", "and"} <= found
    assert {"harry", "stone"}.isdisjoint(found)


def test_the_longest_unknown_words_say_what_a_prompt_is_about() -> None:
    prompt = "Explain how thaumaturgy and quidditch differ from xylomancy, BBC and floccinaucinihilipilification"
    assert "Explain" not in content_words(prompt)
    found = rare_words(prompt)
    assert found[0] == "floccinaucinihilipilification"
    assert len(found) == RARE_WORDS
    assert "BBC" not in found
    assert rare_words("") == content_words("") == []
    assert all(re.fullmatch(r"\w+", word) for word in found)
