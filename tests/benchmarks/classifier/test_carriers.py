"""Questions stand where they are said to be."""

from __future__ import annotations

import json
import random

import pytest

from unlearned.benchmarks.classifier import carriers
from unlearned.benchmarks.classifier.carriers import FRAMES, JOINS, WHERE, filler, framed, hidden, joined

QUESTION = 'Which book by Ana Ruiz-Ito, "The 7 Quiet Rivers", won a prize in 1998?'


OTHER = "What is the capital of France?"


PHRASES = [
    "a quiet film about two old friends",
    "it does n't work , but it tries",
    "short",
    "the best -lrb- so far -rrb- of its kind",
]


def test_filler_is_prose_of_the_length_asked_for() -> None:
    sentences = filler(PHRASES, 100, random.Random(0))
    count = sum(len(sentence.split()) for sentence in sentences)
    assert 100 <= count < 110
    assert set(sentences) == {
        "A quiet film about two old friends.",
        "It doesn't work, but it tries.",
        "The best (so far) of its kind.",
    }


@pytest.mark.parametrize("where", WHERE)
def test_a_hidden_question_is_where_it_is_said_to_be(where: carriers.Where) -> None:
    sentences = filler(PHRASES, 200, random.Random(1))
    carried = hidden(QUESTION, sentences, where)
    (place,) = carried.places
    assert carried.text[slice(*place)] == QUESTION
    share = place[0] / (len(carried.text) - len(QUESTION))
    assert share == {"start": 0, "middle": pytest.approx(0.5, abs=0.1), "end": 1}[where]
    rest = carried.text[: place[0]] + carried.text[place[1] :]
    assert rest.split() == " ".join(sentences).split()
    assert "\n\n" in carried.text


def test_a_frame_has_one_gap_and_the_question_is_in_it() -> None:
    for frames in FRAMES.values():
        assert len(frames) == 3
        for frame in frames:
            carried = framed(frame, QUESTION)
            assert carried.text[slice(*carried.places[0])] == QUESTION
            assert carried.text.replace(QUESTION, "{}") == frame


@pytest.mark.parametrize("forget_first", [True, False])
@pytest.mark.parametrize("name", JOINS)
def test_two_questions_in_one_text_are_where_they_are_said_to_be(name: str, forget_first: bool) -> None:
    carried = joined(QUESTION, OTHER, JOINS[name], forget_first=forget_first)
    forget, retain = (carried.text[slice(*place)] for place in carried.places)
    assert forget[1:].rstrip("?") == (json.dumps(QUESTION)[1:-1] if "JSON" in name else QUESTION)[1:].rstrip("?")
    assert retain[1:].rstrip("?") == OTHER[1:].rstrip("?")
    assert (carried.places[0] < carried.places[1]) == forget_first
    if "JSON" in name:
        values = " ".join(json.loads(carried.text).values())
        assert QUESTION in values
        assert OTHER in values
    if name == "no punctuation":
        assert "?" not in carried.text
