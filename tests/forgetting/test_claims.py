"""Whoever knows gives the same answer when asked again."""

from __future__ import annotations

from unlearned.forgetting.claims import CONSISTENT, LEAST_MEANT, Claims, agreement
from unlearned.forgetting.subject import Subject


def test_answers_agree_by_what_the_question_does_not_say() -> None:
    question = "Who is Anna Berg?"
    assert agreement(question, ["Anna Berg is a baker.", "Anna Berg was a baker."]) == 1.0
    assert agreement(question, ["Anna Berg is a baker.", "Anna Berg is a pilot."]) == 0.0
    assert agreement(question, ["", "Anna Berg"]) == 0.0


def claims(own: dict[str, float], invented: dict[str, float]) -> Claims:
    return Claims(tuple((question, "") for question in own), own, invented)


def test_a_subject_is_known_where_answers_agree_more_than_about_an_invented_one() -> None:
    for own, invented, consistent, known in (
        ({}, {}, [], False),
        ({"a": CONSISTENT, "b": 0.0}, {}, ["a"], True),
        ({"a": CONSISTENT - 0.01, "b": 0.0}, {}, [], False),
        ({"a": 0.9, "b": 0.5}, {"a": 0.9, "b": 0.1}, ["b"], True),  # a: agrees as much about nobody
        ({"a": 0.9, "b": 0.9}, {"a": 1.0, "b": 1.0}, [], False),
        ({"a": 0.6, "b": 0.9}, {"a": 0.8, "b": 0.8}, ["b"], False),
    ):
        found = claims(own, invented)
        assert (found.consistent, found.known) == (consistent, known), (own, invented)
        assert f"{len(consistent)} of {len(own)}" in found.summary()


def test_one_answer_agrees_with_nobody() -> None:
    assert agreement("Who?", []) == agreement("Who?", ["A baker."]) == 0.0
    assert 0 < agreement("Who?", ["A baker of bread.", "A baker of cakes."]) < 1


def test_a_last_name_is_meant_where_enough_answers_say_the_whole_one() -> None:
    lexicon = Subject(names=("William Shakespeare",)).lexicon()
    whole, other = ("q", "William Shakespeare wrote."), ("q", "A writer.")
    for short, meant in (
        ((whole,) * LEAST_MEANT, True),
        ((whole,) * (LEAST_MEANT - 1), False),
        ((whole, other, other), True),
        ((whole, other, other, other), False),
        ((whole, ("q", ""), ("q", "")), False),
        ((), False),
    ):
        assert Claims((), {}, {}, short).means_by_last_name(lexicon) is meant, short
