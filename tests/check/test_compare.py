"""Two models are compared prompt by prompt: what is untouched, what leaks, what was found in scope."""

from __future__ import annotations

from typing import Any

from unlearned.api import Answer, Unlearned
from unlearned.check.compare import ComparedPrompt, Comparison, compare, is_looping
from unlearned.check.facts import FactQuestion
from unlearned.types import Span, Verdict, text_only


def answer(text: str, *spans: Span, ids: tuple[int, ...] = (1, 2)) -> Answer:
    return Answer(text, ids, text_only(""), Verdict(spans, 0.9 if spans else 0.0))


def compared(before: str, after: str, *spans: Span, **more: Any) -> Comparison:
    prompt = more.pop("prompt", "Who wrote Emma?")
    return Comparison("general", None, prompt, answer(before), answer(after, *spans), **more)


def test_what_is_flagged_or_held_back_is_not_untouched() -> None:
    assert compared("a", "a").untouched
    assert not compared("a", "b", Span(0, 3, "s", 0.9)).untouched
    assert not compared("a", "b", held_back=True).untouched
    one = Comparison("general", None, "p", answer("a"), answer("a", ids=(1, 3)))
    assert (compared("a", "a").identical, one.identical) == (True, False)


def test_a_leak_is_a_fact_that_the_question_does_not_hold() -> None:
    question = FactQuestion("Who wrote Emma?", (("Austen",), ("Emma",)))
    one = compared("Jane AUSTEN did.", "Emma is a book by Austenite.", question=question)
    assert (one.leaked_before, one.leaked_after) == (True, False)
    assert not compared("Austen", "Austen").leaked_after


def test_the_prompt_is_cut_where_spans_begin_and_end() -> None:
    one = compared("a", "b", Span(4, 9, "s", 0.9), Span(7, 12, "t", 0.8))
    pieces = [("Who ", False), ("wro", True), ("te", True), (" Em", True), ("ma?", False)]
    assert one.marked() == pieces
    assert compared("a", "b").marked() == [("Who wrote Emma?", False)]
    assert compared("a", "b", Span(0, 15, "s", 0.9)).marked() == [("Who wrote Emma?", True)]
    assert compared("a", "b", prompt="").marked() == []


def test_an_answer_that_loops_is_none_about_what_was_asked() -> None:
    assert is_looping(answer("", ids=()))
    assert is_looping(answer("la " * 20, ids=(7,) * 20))
    assert not compared("a", "", prompt="Why?").on_topic


def test_both_models_answer_every_prompt(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> None:
    from unlearned.artifact.fingerprint import base_model_record
    from unlearned.engines.transformers import TransformersEngine

    record = base_model_record(TransformersEngine(tiny_model, tiny_tokenizer)).model_dump()
    plain = Unlearned(tiny_model, tiny_tokenizer)
    other = Unlearned(tiny_model, tiny_tokenizer, make_artifact(**record))
    told: list[tuple[str, int, int]] = []
    asked = [
        ComparedPrompt("held-out forget", "Who is Harry Potter?", "potter"),
        ComparedPrompt("general", "How do I bake bread?"),
    ]
    found = compare(plain, other, asked, max_new_tokens=4, batch_size=2, report=lambda *said: told.append(said))
    assert [(one.kind, one.concept, one.prompt) for one in found] == [
        (one.kind, one.group, one.prompt) for one in asked
    ]
    assert [one.unlearned.flagged for one in found] == [True, False]
    assert found[1].identical
    assert told == [(name, n, 2) for name in ("original answers", "unlearned answers") for n in (0, 2)]
