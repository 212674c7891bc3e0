"""Answers in words are read."""

from __future__ import annotations

from unlearned.benchmarks.choices.data import Question
from unlearned.benchmarks.choices.spec import aggregate
from unlearned.benchmarks.choices.words import names_it


def test_answers_in_words() -> None:
    told = {"set": "forget, in words", "group": "forget", "recall": 0.5, "names_it": True, "flagged": True}
    found = aggregate([told, {**told, "recall": 1.0, "names_it": False}])
    assert {name: estimate.value for name, estimate in found["forget, in words"].items()} == {
        "recall": 0.75,
        "names_it": 0.5,
    }
    asked = Question("x/0", "x", "?", ("the Fed", "the IMF", "a bank", "-"), 0)
    assert names_it("It is the fed.", asked)
    assert not names_it("The Fed or the IMF", asked)
    assert not names_it("the federal state", asked)
    assert not names_it("", asked)
