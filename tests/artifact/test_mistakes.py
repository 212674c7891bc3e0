"""The prompts of its own fit that a detector got wrong."""

from __future__ import annotations

import json
from pathlib import Path

from unlearned.artifact.mistakes import Mistakes, mistakes_of


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


def test_a_long_prompt_is_shortened_in_advice_and_its_lines_are_joined() -> None:
    [said] = mistakes_of([("Who\n is " + "x" * 100, 0.1)], [], [], 0.5).advice()
    assert "'Who is " in said
    assert "...'" in said
    assert len(said) < 200
    assert mistakes_of([("a", 0.5)], [("b", 0.5)], [], 0.5).missed == ()
    assert len(mistakes_of([("a", 0.5)], [("b", 0.5)], [], 0.5).flagged) == 1  # the threshold itself is in scope
