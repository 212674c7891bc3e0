"""Words that were divided between messages are found, and lead back to where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.classify.base import Features
from unlearned.classify.borders import detect_in_conversations, joined, merged
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.types import Span, Verdict, messages_only
from unlearned.unlearners.eco import ForgetScope

FORGET = ["Who is Harry Potter?", "What is Hogwarts?"]
OTHERS = ["What is the capital of France?", "How do I bake bread?", "Who is the fox?"]


@pytest.fixture
def scope(bag_of_words: Any) -> ForgetScope:
    forget, others = (Features.of(texts, bag_of_words).vectors for texts in (FORGET, OTHERS))
    return ForgetScope(
        name="hp", classifier=NeighboursClassifier(bag_of_words, forget, others), threshold=0.6, secret=b"k" * 32
    )


@pytest.mark.parametrize(
    "messages",
    [
        [("user", "Who is Harry"), ("user", "Potter?")],
        [("user", "Who is Harry"), ("assistant", "Go on, please, I am listening."), ("user", "Potter?")],
        [("user", "What is Hog"), ("user", "warts?")],
    ],
)
def test_a_question_in_two_messages_is_found(scope: ForgetScope, messages: list[tuple[str, str]]) -> None:
    [verdict] = detect_in_conversations([messages_only(messages)], [scope])
    assert verdict.in_scope
    first = messages_only(messages).segments[0]
    assert any(span.start < first.end for span in verdict.spans)


def test_what_follows_a_forget_question_is_not_in_scope_for_that(scope: ForgetScope) -> None:
    talk = messages_only([("user", FORGET[0]), ("assistant", "Harry Potter is Harry Potter."), ("user", OTHERS[0])])
    [verdict] = detect_in_conversations([talk], [scope])
    assert verdict.in_scope
    assert all(span.end <= talk.segments[-1].start for span in verdict.spans)


def test_other_conversations_pass(scope: ForgetScope) -> None:
    talks = [[("user", question), ("assistant", "Bread."), ("user", OTHERS[0])] for question in OTHERS]
    verdicts = detect_in_conversations([messages_only(talk) for talk in talks], [scope])
    assert not any(verdict.in_scope for verdict in verdicts)


def test_a_joined_reading_knows_where_its_characters_are_from() -> None:
    prompt = messages_only([("user", "Who is Harry"), ("assistant", "Go on."), ("user", "Potter?")])
    readings = joined(prompt)
    assert [reading.text for reading, _ in readings] == [
        "Who is Harry Go on. Potter?",
        "Who is HarryGo on. Potter?",
        "Who is Harry Potter?",
        "Who is HarryPotter?",
    ]
    for reading, places in readings:
        words = [(letter, place) for letter, place in zip(reading.text, places, strict=True) if letter != " "]
        assert all(prompt.text[place] == letter for letter, place in words)
    assert joined(messages_only([("user", "Who is Harry Potter?")])) == []
    long = messages_only([("user", f"{'a ' * 300}Harry"), ("user", f"Potter {'b ' * 300}Harry"), ("user", "Potter c")])
    reading, places = joined(long)[0]
    assert all(long.text[place] == letter or letter == " " for letter, place in zip(reading.text, places, strict=True))
    pieces = [reading.text[segment.start : segment.end] for segment in reading.segments]
    assert len(pieces) == 2  # what lies between the borders was read before
    assert all("Harry Potter" in piece and len(piece) < 200 for piece in pieces)
    reading, places = readings[2]
    found = merged(Verdict(score=0.2), [(Verdict((Span(7, 19, "hp", 0.9),), 0.9), places)])
    [span] = found.spans
    assert prompt.text[span.start : span.end] == "Harry\nGo on.\nPotter"
    assert found.score == 0.9
    own = Verdict((Span(7, 12, "hp", 0.85),), 0.85)
    assert merged(own, [(Verdict((Span(7, 19, "hp", 0.9),), 0.9), places)]).spans == own.spans


def test_what_is_hardly_in_scope_by_itself_gives_way_to_what_it_is_a_part_of() -> None:
    prompt = messages_only([("user", "Who is"), ("user", "Harry"), ("user", "Potter?")])
    [(reading, places)] = [found for found in joined(prompt) if found[0].text == "Who is Harry Potter?"]
    across = Verdict((Span(3, 20, "hp", 0.99),), 0.99)
    own = Verdict((Span(0, 6, "hp", 0.6), Span(0, 6, "sw", 0.6), Span(13, 20, "hp", 0.6)), 0.6)
    assert merged(own, [(across, places)]).spans == (Span(0, 6, "sw", 0.6), Span(0, 20, "hp", 0.99))
    assert reading.text[4:20] == "is Harry Potter?"
    sure = Verdict((*own.spans[:2], Span(13, 20, "hp", 0.99)), 0.99)
    assert merged(sure, [(across, places)]).spans == sure.spans
