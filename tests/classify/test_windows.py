"""Windows: nothing escapes them, they are bounded, and there are not too many."""

from __future__ import annotations

import time

import numpy as np
import pytest

from unlearned.classify.windows import MAX_CHARACTERS, windows

TEXTS = [
    "",
    "   \n\t ",
    "Hello",
    "  Who is Harry Potter?  And what is Hogwarts?\n\nBye. ",
    "No end here, only commas, and more commas",
    'He said "Stop!" Then he left... And came back (why?). "Ok."',
    "一。二！三？四；五",
    "Version 3.14 of e.g. this. www.example.com is no end!",
    "a\nb\nc\n\n\nd",
    "...",
    "?!" * 50,
    "word " * 61,
    "word " * 500 + "end. " + "x. " * 200,
    "One two three. " * 100,
    "x" * 5000,
    "我" * 700,
    "Long-" * 300 + " tail of it. End",
    " ".join(f"{n:08x}" for n in range(200)),
]


def _random_text(seed: int) -> str:
    letters = 'ab c.?\n!"” ;。x1-'
    rng = np.random.default_rng(seed)
    return "".join(letters[i] for i in rng.integers(0, len(letters), size=int(rng.integers(1, 900))))


@pytest.mark.parametrize("text", TEXTS + [_random_text(seed) for seed in range(20)])
def test_every_character_that_is_no_space_is_in_a_window_and_windows_are_bounded_and_trimmed(text: str) -> None:
    found = windows(text, 0, len(text))
    covered = {index for start, end in found for index in range(start, end)}
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered
    assert found == sorted(set(found))
    for start, end in found:
        window = text[start:end]
        assert window == window.strip() != ""
        assert len("".join(window.split())) <= MAX_CHARACTERS


def test_a_single_clause_is_one_window() -> None:
    text = "Who is Harry Potter?"
    assert windows(text, 0, len(text)) == [(0, len(text))]


def test_each_clause_is_a_window_and_so_is_their_run() -> None:
    text = "Hello there. Who is Harry Potter?\nThanks!"
    assert [text[s:e] for s, e in windows(text, 0, len(text))] == [
        "Hello there.",
        text,
        "Who is Harry Potter?",
        "Thanks!",
    ]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ('"Stop!" he said.', ['"Stop!"', "he said."]),
        ("Pi is 3.14 or so. Yes.", ["Pi is 3.14 or so.", "Yes."]),
        ("Really?! Yes…", ["Really?!", "Yes…"]),
        ("一。二", ["一。", "二"]),
        ("one\n\n\ntwo", ["one", "two"]),
        ("first; second", ["first;", "second"]),
        ("a (b.) c", ["a (b.)", "c"]),
    ],
)
def test_a_clause_ends_at_closing_punctuation_before_a_space_and_at_a_line_break(text: str, clauses: list[str]) -> None:
    found = {text[start:end] for start, end in windows(text, 0, len(text))}
    assert found == {*clauses, text}


def test_only_the_given_part_of_the_text_is_cut() -> None:
    text = "<user> Who is it? </user>"
    assert windows(text, 6, 17) == [(7, 17)]
    assert windows(text, 7, 7) == []


def test_windows_of_a_part_are_those_of_its_text_moved() -> None:
    inner = "One two. Three four? Five"
    text = "<<<" + inner + ">>>"
    assert windows(text, 3, 3 + len(inner)) == [(s + 3, e + 3) for s, e in windows(inner, 0, len(inner))]


def test_a_clause_that_is_too_long_is_cut_into_half_overlapping_pieces() -> None:
    words = [f"word{n:03}" for n in range(150)]
    text = " ".join(words)
    pieces = [text[s:e].split() for s, e in windows(text, 0, len(text))]
    assert pieces[0][0] == "word000"
    assert pieces[-1][-1] == "word149"
    for first, second in zip(pieces, pieces[1:], strict=False):
        assert len(set(first) & set(second)) * 7 >= MAX_CHARACTERS // 3  # no phrase is cut in every window


@pytest.mark.parametrize("text", ["word " * 10_000, "Two words. " * 5_000, "a. " * 10_000, "x\n" * 10_000])
def test_the_number_of_windows_grows_linearly_with_the_text(text: str) -> None:
    clauses = max(1, text.count(".") + text.count("\n"))
    assert len(windows(text, 0, len(text))) <= clauses + len(text) / (MAX_CHARACTERS / 4) + 2


@pytest.mark.parametrize(
    "text",
    ["." * 60_000 + "x", '."' * 30_000 + "x", "?!'" * 20_000 + "x", " " * 60_000, "x" * 60_000, "." + '"' * 60_000],
)
def test_no_text_makes_the_cutting_slow(text: str) -> None:
    start = time.perf_counter()
    windows(text, 0, len(text))
    assert time.perf_counter() - start < 2  # backtracking took a minute
