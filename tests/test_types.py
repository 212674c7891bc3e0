"""Prompt, Verdict and PromptInput."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from unlearned.types import Prompt, PromptInput, Segment, Span, Verdict, text_only


def _prompt() -> Prompt:
    # characters: <s>=0..3 (special), "Hi"=3..5, " you"=5..9, an empty token at 9, "\n"=9..10 (template)
    return Prompt(
        text="<s>Hi you\n",
        token_ids=(1, 10, 11, 12, 13),
        offsets=np.array([[0, 3], [3, 5], [5, 9], [9, 9], [9, 10]]),
        is_special=np.array([True, False, False, False, False]),
        segments=(Segment(3, 9),),
    )


def test_content_tokens_are_those_with_a_character_inside_a_segment() -> None:
    assert _prompt().content_tokens().tolist() == [False, True, True, False, False]


def test_a_token_that_straddles_the_border_of_a_segment_is_content() -> None:
    prompt = dataclasses.replace(_prompt(), segments=(Segment(4, 6),))
    assert prompt.content_tokens().tolist() == [False, True, True, False, False]


def test_special_tokens_are_never_content_even_inside_a_segment() -> None:
    prompt = dataclasses.replace(_prompt(), segments=(Segment(0, 10),))
    assert prompt.content_tokens().tolist() == [False, True, True, False, True]


def test_without_segments_nothing_is_content() -> None:
    assert not dataclasses.replace(_prompt(), segments=()).content_tokens().any()


def test_tokens_overlapping_needs_a_shared_character_not_a_shared_border() -> None:
    prompt = _prompt()
    assert prompt.tokens_overlapping(5, 9).tolist() == [False, False, True, False, False]
    assert prompt.tokens_overlapping(4, 6).tolist() == [False, True, True, False, False]
    assert not prompt.tokens_overlapping(5, 5).any()


def test_a_verdict_without_spans_is_out_of_scope_and_keeps_its_score() -> None:
    verdict = Verdict((), 0.3)
    assert not verdict.in_scope
    assert verdict.scope is None
    assert verdict.score == 0.3


def test_the_scope_of_a_verdict_is_that_of_its_strongest_span_and_ties_go_by_name() -> None:
    assert Verdict((Span(0, 1, "b", 0.9), Span(0, 1, "a", 0.8))).scope == "b"
    assert Verdict((Span(0, 1, "b", 0.9), Span(4, 5, "a", 0.9))).scope == "a"


def test_spans_sort_by_place_in_the_text() -> None:
    later, earlier = Span(3, 9, "a", 0.99), Span(0, 2, "z", 0.5)
    assert sorted([later, earlier]) == [earlier, later]


def test_a_prompt_input_is_plain_unless_it_has_positions() -> None:
    assert not PromptInput((1, 2)).corrupted
    assert not PromptInput((1, 2)).verdict.in_scope


@pytest.mark.parametrize("value", [Verdict(), Span(0, 1, "a", 0.5), Segment(0, 1), PromptInput((1,))])
def test_what_stages_hand_on_cannot_be_changed(value: object) -> None:
    name = dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)


def test_text_only_makes_all_of_a_text_content_and_has_no_tokens() -> None:
    prompt = text_only("Who is it?")
    assert prompt.segments == (Segment(0, 10),)
    assert prompt.token_ids == ()
    assert prompt.content_tokens().shape == (0,)
