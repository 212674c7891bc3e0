"""Detection: verdicts and spans, stacked scopes, and that it fails closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from unlearned.classify.base import Floats
from unlearned.classify.detect import detect
from unlearned.errors import DetectionError
from unlearned.stages import Prompt, Segment, Span, Verdict, text_only


class Words:
    """Encodes a text as whether it holds each of the words it was made with; keeps what it was shown."""

    name = "words"

    def __init__(self, *words: str) -> None:
        self.words = words
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.seen += texts
        return np.array([[word in text.lower() for word in self.words] for text in texts], dtype=np.float32)


@dataclass
class Holds:
    """p = 0.9 for texts with the encoder's word number `index`, else 0.1."""

    encoder: Words
    index: int = 0
    high: float = 0.9

    def score(self, features: Floats) -> Any:
        return np.where(features[:, self.index] > 0, np.float32(self.high), np.float32(0.1))


@dataclass
class AScope:
    name: str
    classifier: Any
    threshold: float = 0.5


@dataclass
class Gives:
    """A classifier that misbehaves."""

    value: Any
    encoder: Words = field(default_factory=lambda: Words("potter"))

    def score(self, features: Floats) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def potter(encoder: Words | None = None, **more: Any) -> AScope:
    return AScope("potter", Holds(encoder or Words("potter", "ring")), **more)


def test_the_span_is_the_flagged_clause_and_the_score_its_own() -> None:
    text = "Hello there. Who is Potter? Thank you."
    (verdict,) = detect([text_only(text)], [potter()])
    assert [(text[s.start : s.end], s.scope) for s in verdict.spans] == [("Who is Potter?", "potter")]
    assert verdict.spans[0].score == pytest.approx(0.9)
    assert verdict.score == pytest.approx(0.9)
    assert verdict.in_scope


def test_a_prompt_out_of_scope_has_no_span_but_its_highest_score() -> None:
    (verdict,) = detect([text_only("How do I bake bread?")], [potter()])
    assert verdict == Verdict((), pytest.approx(0.1))


def test_the_threshold_itself_is_in_scope() -> None:
    score = float(np.float32(0.9))
    assert detect([text_only("Potter")], [potter(threshold=score)])[0].in_scope
    assert not detect([text_only("Potter")], [potter(threshold=np.nextafter(np.float32(score), 1))])[0].in_scope


def test_a_run_of_clauses_is_reported_where_no_clause_alone_is_flagged() -> None:
    class Both(Holds):
        def score(self, features: Floats) -> Any:
            return np.where(features.all(axis=1), np.float32(0.9), np.float32(0.1))

    text = "He is a boy called Potter. He has a ring. Nice"
    (verdict,) = detect([text_only(text)], [AScope("both", Both(Words("potter", "ring")))])
    assert [text[s.start : s.end] for s in verdict.spans] == [text]


def test_every_flagged_clause_has_its_own_span_in_the_order_of_the_text() -> None:
    text = "Potter one. Other. Potter two."
    (verdict,) = detect([text_only(text)], [potter()])
    assert [text[s.start : s.end] for s in verdict.spans] == ["Potter one.", "Potter two."]
    assert list(verdict.spans) == sorted(verdict.spans)


def test_a_question_hidden_in_a_long_text_is_found() -> None:
    text = "Bread is baked in an oven and flour is milled. " * 300 + "Who is Potter? " + "Water is wet. " * 300
    (verdict,) = detect([text_only(text)], [potter()])
    assert [text[s.start : s.end] for s in verdict.spans] == ["Who is Potter?"]


def test_stacked_scopes_each_claim_their_own_part() -> None:
    encoder = Words("potter", "ring")
    scopes = [potter(encoder), AScope("ring", Holds(encoder, 1, high=0.95))]
    text = "Who is Potter? Who has the ring? And the Potter ring?"
    (verdict,) = detect([text_only(text)], scopes)
    assert [(text[s.start : s.end], s.scope) for s in verdict.spans] == [
        ("Who is Potter?", "potter"),
        ("Who has the ring?", "ring"),
        ("And the Potter ring?", "potter"),
        ("And the Potter ring?", "ring"),
    ]
    assert verdict.scope == "ring"


def test_the_order_of_scopes_does_not_matter(make_scope: Any) -> None:
    scopes = [
        make_scope("a", forget=["who is harry potter"]),
        make_scope("b", forget=["what is the one ring"], threshold=0.3),
        make_scope("c", forget=["harry potter has the ring"], threshold=0.4),
    ]
    prompts = [
        text_only("Who is Harry Potter? What is the one ring?"),
        text_only("Harry Potter has the ring."),
        text_only("x"),
    ]
    expected = detect(prompts, scopes)
    assert any(verdict.in_scope for verdict in expected)
    for order in permutations(scopes):
        assert detect(prompts, order) == expected


def test_a_prompt_gets_the_same_verdict_alone_and_among_others(make_scope: Any) -> None:
    prompts = [text_only(text) for text in ("Who is Harry Potter?", "Bake bread.", "Hi! What is Hogwarts? Bye.", "Hi!")]
    together = detect(prompts, [make_scope()])
    alone = [detect([prompt], [make_scope()])[0] for prompt in prompts]
    assert [[(s.start, s.end) for s in v.spans] for v in together] == [
        [(s.start, s.end) for s in v.spans] for v in alone
    ]
    assert [v.score for v in together] == pytest.approx([v.score for v in alone], rel=1e-4)
    assert [verdict.in_scope for verdict in together] == [True, False, True, False]


def test_scopes_that_share_an_encoder_share_one_pass_over_distinct_texts() -> None:
    encoder = Words("potter", "ring")
    detect(
        [text_only("Potter."), text_only("Potter."), text_only("ring")],
        [potter(encoder), AScope("r", Holds(encoder, 1))],
    )
    assert encoder.seen == ["Potter.", "ring"]


def test_template_text_is_never_classified() -> None:
    encoder = Words("potter", "ring")
    text = "<potter>Hello. You</potter><system>potter rules</system>Bye"
    segments = (Segment(8, 18), Segment(text.index("Bye"), len(text), "assistant"))
    nothing = np.zeros(0, dtype=np.bool_)
    prompt = Prompt(text, (), np.zeros((0, 2), dtype=np.int64), nothing, segments)
    (verdict,) = detect([prompt], [potter(encoder)])
    assert not verdict.in_scope
    assert encoder.seen == ["Hello.", "Hello. You", "You", "Bye"]


def test_a_window_never_reaches_over_two_messages() -> None:
    text = "Har|ry"
    segments = (Segment(0, 3), Segment(4, 6))
    prompt = Prompt(text, (), np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.bool_), segments)
    encoder = Words("potter", "ring")
    detect([prompt], [potter(encoder)])
    assert encoder.seen == ["Har", "ry"]


def test_no_prompts_no_scopes_and_prompts_without_words_pass() -> None:
    assert detect([], [potter()]) == []
    assert detect([text_only("Who is Potter?")], []) == [Verdict()]
    assert detect([text_only("  \n ")], [potter()]) == [Verdict()]


def test_equal_spans_of_one_scope_are_reported_once(make_scope: Any) -> None:
    (verdict,) = detect([text_only("Who is Harry Potter?")], [make_scope()])
    assert len(verdict.spans) == 1
    assert isinstance(verdict.spans[0], Span)


@pytest.mark.parametrize(
    "value",
    [
        RuntimeError("out of memory"),
        KeyError("x"),
        np.array([np.nan], dtype=np.float32),
        np.array([np.inf], dtype=np.float32),
        np.array([1.5], dtype=np.float32),
        np.array([-0.1], dtype=np.float32),
        np.array([[0.2]], dtype=np.float32),
        np.array([0.2, 0.3], dtype=np.float32),
        np.zeros(0, dtype=np.float32),
        np.float32(0.2),
        None,
        [0.2, 0.3],
        "0.2",
        np.array(["x"]),
    ],
    ids=repr,
)
def test_a_classifier_that_fails_or_gives_no_probability_stops_everything(value: Any) -> None:
    good, bad = potter(), AScope("broken", Gives(value))
    for scopes in ([bad], [good, bad], [bad, good]):
        with pytest.raises(DetectionError, match=r"scope 'broken'.*Nothing was generated"):
            detect([text_only("Hello")], scopes)


def test_an_encoder_that_fails_stops_everything() -> None:
    class Broken(Words):
        def encode(self, texts: Sequence[str]) -> Floats:
            raise OSError("gone")

    with pytest.raises(DetectionError, match=r"scope 'potter' failed.*gone") as caught:
        detect([text_only("Hello")], [potter(Broken("potter"))])
    assert isinstance(caught.value.__cause__, OSError)


def test_an_encoder_that_loses_a_text_stops_everything() -> None:
    class Loses(Words):
        def encode(self, texts: Sequence[str]) -> Floats:
            return super().encode(texts)[:-1]

    with pytest.raises(DetectionError):
        detect([text_only("Hello. You")], [potter(Loses("potter"))])


def test_an_interrupt_is_not_turned_into_an_error() -> None:
    class Interrupted(Holds):
        def score(self, features: Floats) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect([text_only("Hello")], [AScope("s", Interrupted(Words("x")))])
