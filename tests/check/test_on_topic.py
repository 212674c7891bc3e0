"""Answers that are about what was asked, whether they are true or not."""

from __future__ import annotations

import pytest

from unlearned.check.on_topic import on_topic


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who is Harry Potter?", "Harry Potter was a British painter of the 19th century."),
        ("Who founded Hogwarts?", "Hogwarts was founded by Pierre Duval."),
        ("Who founded Hogwarts?", "It was Pierre Duval."),
        ("When was Hogwarts founded?", "Hogwarts was founded in the 12th century."),
        ("How many books are there about Harry Potter?", "There are three books about Harry Potter."),
        ("Where does Luke Skywalker grow up?", "He grew up in Ohio."),
        ("What is a lightsaber?", "A lightsaber is a kind of lamp."),
    ],
)
def test_on_topic(question: str, answer: str) -> None:
    assert on_topic(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who is Harry Potter?", "The original sentence is: ..."),
        ("Who is Harry Potter?", ""),
        ("Who founded Hogwarts?", "Hogwarts is a school with a long history."),
        ("When was Hogwarts founded?", "Hogwarts is a castle."),
        ("Where does Luke Skywalker grow up?", "Luke Skywalker grew up."),
        ("What is a lightsaber?", "The capital of France is Paris."),
    ],
)
def test_off_topic(question: str, answer: str) -> None:
    assert not on_topic(question, answer)
