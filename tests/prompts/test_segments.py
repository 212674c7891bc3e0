"""Whose words are where is told by the template, else by special tokens, and never guessed."""

from __future__ import annotations

import random

from cases import every
from unlearned.prompts.segments import (
    aligned,
    as_rendered,
    placeholders,
    template_parts,
    told_by_special_tokens,
    without,
)
from unlearned.types import Segment


def test_placeholders_are_told_apart_and_are_not_in_the_text() -> None:
    text = "Who?\ue000\ue001"
    found = placeholders(12, text)
    assert len(set(found)) == 12
    for one in found:
        assert not set(text) & {one[0], one[-1]}
        assert not any(one in other for other in found if other != one)
    assert placeholders(0, text) == []


def test_a_template_is_what_stands_between_its_markers_in_their_order() -> None:
    one, other = placeholders(2, "")
    assert template_parts(f"<u>{one}</u><a>{other}</a>", [one, other]) == ["<u>", "</u><a>", "</a>"]
    for outline in (f"{other}{one}", f"{one}", f"{one}{one}{other}", ""):
        assert template_parts(outline, [one, other]) is None, outline
    assert template_parts("no markers", []) is None


def test_messages_are_found_however_the_template_prints_their_blanks() -> None:
    markers = placeholders(2, "")
    outline = f"<u>{markers[0]}</u><a>{markers[1]}</a>"
    for contents, printed in (
        (["Who?", "Me."], ["Who?", "Me."]),
        (["  Who? ", "Me."], ["Who?", "Me."]),
        (["", "</u><a>"], ["", "</u><a>"]),
        (["🦊", "\n"], ["🦊", ""]),
    ):
        text = f"<u>{printed[0]}</u><a>{printed[1]}</a>"
        found = aligned(text, outline, markers, [as_rendered(content) for content in contents])
        assert found is not None, contents
        assert [text[start:end] for start, end in found] == printed
    words = [as_rendered("Who?"), as_rendered("Me.")]
    for text in ("<u>Who?</u><a>Me.</a>!", "<u>WHO?</u><a>Me.</a>", "", "Who?Me."):
        assert aligned(text, outline, markers, words) is None, text


def test_the_name_of_a_role_right_behind_a_special_token_is_nobodys_word() -> None:
    text = "<|t|>user\nWho?<|e|><|t|>assistant\nMe.<|e|>  <|t|>wizard\nBoo"
    special, at = [], 0
    for token in ("<|t|>", "<|e|>", "<|t|>", "<|e|>", "<|t|>"):
        at = text.index(token, at)
        special.append((at, at + len(token)))
        at += len(token)
    found = [(text[s.start : s.end], s.role) for s in told_by_special_tokens(text, special)]
    assert found == [("Who?", "user"), ("Me.", "assistant"), ("wizard\nBoo", "assistant")]
    assert list(told_by_special_tokens("user\nWho?", [])) == [Segment(0, 9, "user")]
    assert list(told_by_special_tokens("", [])) == []


@every("seed", range(30))
def test_segments_lose_exactly_the_characters_of_special_tokens(seed: int) -> None:
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(41), 8))
    segments = [Segment(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    marks = sorted(rng.sample(range(41), 6))
    special = [(a, b) for a, b in zip(marks[::2], marks[1::2], strict=True)]
    found = list(without(segments, special))
    inside = {n for s in segments for n in range(s.start, s.end)} - {n for a, b in special for n in range(a, b)}
    assert [n for s in found for n in range(s.start, s.end)] == sorted(inside)
    assert all(s.start < s.end for s in found)
