"""Garbled words, and ordinary text that is not taken for it."""

from __future__ import annotations

import pytest

from unlearned.classify.garbled import Vocabulary, ungarbled
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.normalize import as_written, normalized
from unlearned.names.garbling import GARBLINGS, shifted

LEXICON = Lexicon([ScopeName(name="Harry Potter", kind="work")], ["hogwarts", "quidditch", "dumbledore"])
QUESTIONS = ("Who teaches at Hogwarts?", "Where does Harry Potter live?", "Who plays Quidditch with Dumbledore?")


def readings_of(text: str) -> list[str]:
    return [reading.text for reading in ungarbled(normalized(as_written(text, 0, len(text))), Vocabulary.of([LEXICON]))]


@pytest.mark.parametrize("way", GARBLINGS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_scopes_own_words_are_read_again(way: str, question: str) -> None:
    name = question.split()[-1].strip("?").lower() if "Harry" not in question else "potter"
    assert any(name in reading.lower() for reading in readings_of(GARBLINGS[way](question)))


@pytest.mark.parametrize("by", [1, 5, 20])
def test_any_shift_is_undone(by: int) -> None:
    assert "Who teaches at Hogwarts?" in readings_of(shifted("Who teaches at Hogwarts?", by))


def test_a_whole_line_backwards_is_read_in_its_order() -> None:
    assert "Where does Harry Potter live?" in readings_of("?evil rettoP yrraH seod erehW")


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "Wie heißt die Hauptstadt von Frankreich?",
        "Qual é a capital do Brasil?",
        "Run `ls -la | grep txt` in bash.",
        "The XKCD RSS feed, HTML, CSS and TLS",
        "I recieved teh letter yesterday, thnak you.",
        "",
    ],
)
def test_ordinary_text_has_no_further_reading(text: str) -> None:
    assert readings_of(text) == []


def test_a_garbled_word_is_traced_to_where_it_stands() -> None:
    text = "Woh wnet to Hgotrwas, please?"
    (reading, *_) = ungarbled(normalized(as_written(text, 0, len(text))), Vocabulary.of([LEXICON]))
    start = reading.text.lower().index("hogwarts")
    assert reading.original(start, start + 8) == (text.index("Hgotrwas"), text.index("Hgotrwas") + 8)
