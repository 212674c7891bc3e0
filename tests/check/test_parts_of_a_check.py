"""Facts, likeness and lists, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unlearned.artifact.mistakes import Mistakes, mistakes_of
from unlearned.check.facts import FactQuestion, drawn_facts, given_facts
from unlearned.check.likeness import canned, masked, told_apart
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


def test_answers_of_another_kind_are_told_apart_and_of_the_same_kind_are_not(bag_of_words: Any) -> None:
    places = "north south east west river hill lake coast valley harbour island forest".split()
    names = "Arno Bela Cato Dina Egon Fara Gero Hela Ivor Jora Kato Lena".split()
    said = "She grew up in a small town by the {}, said {}."
    known = [said.format(*pair) for pair in zip(places, names, strict=True)]
    others = [said.format(*pair) for pair in zip(places[::-1], names, strict=True)]
    stock = [f"I'm sorry for any confusion, but I cannot help with the {place}." for place in places]
    apart = told_apart(stock, others, bag_of_words)
    alike = told_apart(known, others, bag_of_words)
    assert apart is not None
    assert alike is not None
    assert apart.accuracy > 0.9 > 0.75 > alike.accuracy
    assert alike.interval[0] < 0.5
    assert told_apart(known[:4], others[:4], bag_of_words) is None
    assert masked("He met Ada Lovelace in 1833.") == masked("He met Krulso Lerol in 1901.")


def test_stock_phrases_are_an_assistants_or_beginnings_that_answers_share() -> None:
    prompts = ["Who is Ada?", "Where is Oslo?", "What is tea?", "Who is Ada's mother?", "Why?"]
    answers = [
        "The recipe for a cake",
        "The recipe for a pie",
        "The recipe for a soup",
        "Ada's mother was Annabella.",
        "",
    ]
    assert canned(prompts, answers) == [True, True, True, False, False]
    assert canned(["Who?"], ["I'm sorry for any misglamour, but as an AI"]) == [True]


def test_mistakes_are_named_the_nearest_first_with_what_would_help(tmp_path: Path) -> None:
    found = mistakes_of(
        [("Who is Ada?", 0.9), ("Name her.", 0.1), ("Name the countess.", 0.4)],
        [("Who is Bea?", 0.8), ("Who is Cea?", 0.6), ("Who is Dea?", 0.2)],
        [("Bake a cake.", 0.7)],
        0.5,
    )
    assert [one.prompt for one in found.missed] == ["Name the countess.", "Name her."]
    assert [(one.prompt, one.kind) for one in found.flagged] == [
        ("Who is Cea?", "close"),
        ("Who is Bea?", "close"),
        ("Bake a cake.", "general"),
    ]
    assert ["'Name the countess.'" in found.advice()[0], "'Who is Cea?'" in found.advice()[1]] == [True, True]
    found.write(tmp_path / "errors.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "errors.jsonl").read_text().splitlines()]
    assert rows[0] == {"error": "missed", "kind": "forget", "prompt": "Name the countess.", "score": 0.4}
    assert len(rows) == 5
    assert Mistakes.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert Mistakes(0.5).advice() == []
