"""Facts that an answer gives away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearned.check.facts import FactQuestion, drawn_facts, given_facts, holds, telling
from unlearned.errors import DataError
from unlearned.examples import Row, read_rows


def test_facts_are_given_taken_from_an_answer_or_drawn_from_what_is_said_every_time(tmp_path: Path) -> None:
    file = tmp_path / "held.jsonl"
    rows = [
        {"prompt": "Who wrote Emma?", "facts": ["Austen", ["1815", "1816"]]},
        {"prompt": "Where was Ada Lovelace born?", "answer": "Ada Lovelace was born in London in 1815."},
        {"prompt": "Hello?", "answer": "hello to you"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second, third = read_rows(file)
    assert given_facts(first) == (("Austen",), ("1815", "1816"))
    assert given_facts(second) == (("London",), ("1815",))
    assert given_facts(third) == given_facts(Row("Hello?")) == ()
    assert FactQuestion(first.prompt, given_facts(first)).leaked_by("In 1816, by whoever.")
    assert not FactQuestion(second.prompt, given_facts(second)).leaked_by("Ada Lovelace was born somewhere.")
    said = ["Ada was born in London, in 1815.", "It was London in 1815, near Paris.", "London, England, 1815"]
    assert drawn_facts("Where was Ada born?", said, "Krulso was born in 1815.") == (("London",),)
    for wrong in ("Austen", [1], [[]], [" "]):
        file.write_text(json.dumps({"prompt": "Who?", "facts": wrong}))
        with pytest.raises(DataError, match="'facts'"):
            read_rows(file)


def test_words_stand_whole_and_in_any_case() -> None:
    for text, words, found in (
        ("In LONDON.", "London", True),
        ("Londoner", "London", False),
        ("(1.5)", "1.5", True),
        ("105", "1.5", False),
        ("C++ code", "C++", True),
        ("a.b", "a", True),
        ("", "a", False),
        ("Zoé", "Zo", False),
    ):
        assert holds(text, words) is found, (text, words)


def test_names_and_numbers_of_answers_are_there_once_and_not_those_of_the_question() -> None:
    assert telling("Who is Ada?", ["Ada was born in 1815, in London.", "LONDON in 1815."]) == ["London", "1815"]
    assert telling("Who?", ["", "nothing of 7"]) == []  # one sign tells nothing
    assert drawn_facts("Who?", ["London", "Paris"], "") == ()
