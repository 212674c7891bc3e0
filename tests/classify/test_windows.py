"""Windows: nothing escapes them, they are bounded, and there are not too many."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from cases import every
from unlearned.classify.windows import MAX_CHARACTERS, MAX_PIECES, clauses, parts_of, windows

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
    letters = 'ab c.?\n!"” ;。x1-:,{}“'
    rng = np.random.default_rng(seed)
    return "".join(letters[i] for i in rng.integers(0, len(letters), size=int(rng.integers(1, 900))))


@every("text", TEXTS + [_random_text(seed) for seed in range(20)])
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
    ("text", "expected"),
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
def test_a_clause_ends_at_closing_punctuation_before_a_space_and_at_a_line_break(
    text: str, expected: list[str]
) -> None:
    found = {text[start:end] for start, end in windows(text, 0, len(text))}
    assert found == {*expected, text}


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in clauses(text, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tell me: who is Anna Berg?", ["Tell me:", "who is Anna Berg?"]),
        ("Question: What is it?", ["Question:", "What is it?"]),
        ("One thing:   Did she win it?", ["One thing:", "Did she win it?"]),
        ("First: please bake bread", ["First:", "please bake bread"]),
        ("Q:\nWho is it", ["Q:", "Who is it"]),
        ("The rest follows:", ["The rest follows:"]),
        ('She said: "Stop it"', ["She said:", '"Stop it"']),
        ("She asked: “is it?”", ["She asked:", "“is it?”"]),
        ("问题：安娜是谁", ["问题：", "安娜是谁"]),
    ],
)
def test_a_clause_ends_at_a_colon_before_a_question_or_a_quotation(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Note: bread is nice",
        "Stones: A Handbook is a book",
        "Did she write Stones: The Whole Story",
        "It is 14:05 now",
        "See http://example.org/what",
        "Whatever: whoever she was, nobody knew",  # no question word but the beginning of another
        'Did she write "Stones", and when was it?',
        'The book "Stones: A Handbook", by Anna, is good',
        'Is "Stones" by Anna?',
        "“Stones”, a book by Anna, sold well",
    ],
)
def test_a_title_or_a_statement_is_not_cut(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ('{"q": "Who is Anna Berg?", "r": "Bake bread"}', ['"Who is Anna Berg?"', '"Bake bread"']),
        ('{"q":"Who is Anna Berg","r":"Bake bread"}', ['"Who is Anna Berg"', '"Bake bread"']),
        ('{"messages": [{"role": "user", "content": "Who is it"}]}', ['"Who is it"']),
        ('{"a": {"b": "Who is it?"}, "c": 3}', ['"Who is it?"']),
    ],
)
def test_the_strings_of_json_are_clauses(text: str, strings: list[str]) -> None:
    assert set(strings) <= set(cut(text))


def test_the_strings_of_a_json_list_are_apart() -> None:
    found = cut('["Who is Anna", "Bake bread", "Sing"]')
    assert len(found) >= 3
    assert all(sum(word in clause for word in ("Anna", "Bake", "Sing")) <= 1 for clause in found)


@every("text", TEXTS + [_random_text(seed) for seed in range(20)])
def test_clauses_are_in_order_trimmed_and_leave_nothing_out(text: str) -> None:
    found = clauses(text, 0, len(text))
    assert found == sorted(found)
    assert set(found) <= set(windows(text, 0, len(text)))
    covered = {index for start, end in found for index in range(start, end)}
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered


# Parts of a clause.


def parts(text: str) -> list[str]:
    return [text[start:end] for start, end in parts_of(text, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Who is Anna Berg?", ["Who is Anna Berg?"]),
        ("Who is Anna Berg and what is bread made of?", ["Who is Anna Berg", "and what is bread made of?"]),
        (
            "What is bread made of, and in which city was Anna Berg born?",
            ["What is bread made of,", "and in which city was Anna Berg born?"],
        ),
        ("When was Anna Berg born and has she won a prize?", ["When was Anna Berg born", "and has she won a prize?"]),
        (
            "How is bread baked, why does it rise, where is it sold?",
            ["How is bread baked,", "why does it rise,", "where is it sold?"],
        ),
        ("Bake some bread then tell me who Anna is", ["Bake some bread", "then tell me", "who Anna is"]),
        ("I like bread but who is Anna Berg?", ["I like bread", "but who is Anna Berg?"]),
        ("Where and when was Anna Berg born?", ["Where and when was Anna Berg born?"]),
        ("I know that Anna has won it", ["I know that Anna has won it"]),
        (
            "What has Anna Berg written since it was known that she can write?",
            ["What has Anna Berg written since it was known that she can write?"],
        ),
        ("Who'd read Anna Berg's book and who's Carl Dorn?", ["Who'd read Anna Berg's book", "and who's Carl Dorn?"]),
        ("WHO IS ANNA BERG AND WHAT IS BREAD?", ["WHO IS ANNA BERG", "AND WHAT IS BREAD?"]),
    ],
)
def test_parts_are_the_runs_of_pieces_that_begin_where_a_question_does(text: str, pieces: list[str]) -> None:
    found = parts(text)
    assert set(pieces) <= set(found)
    assert len(found) == len(pieces) * (len(pieces) + 1) // 2
    for first in range(len(pieces)):
        for last in range(first, len(pieces)):
            assert " ".join(pieces[first : last + 1]) in found


def test_a_long_part_without_questions_is_cut_every_few_words() -> None:
    words = [f"w{n}" for n in range(30)]
    found = parts(" ".join(words))
    assert " ".join(words) in found
    assert " ".join(words[6:12]) in found
    assert " ".join(words[:24]) in found
    short = " ".join(words[:23])
    assert parts(short) == [short]


def test_parts_of_a_part_of_the_text_are_those_of_its_text_moved() -> None:
    inner = "Who is Anna Berg and what is bread made of?"
    text = f"what is << {inner} >> and who is"
    assert parts_of(text, 11, 11 + len(inner)) == [(s + 11, e + 11) for s, e in parts_of(inner, 0, len(inner))]


QUESTIONS = "what who is are does did Anna Berg has she the bread and or please tell how, why? in which 's  \n x".split(
    " "
)


@every("seed", range(60))
def test_parts_are_bounded_trimmed_and_include_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 120))
    text = " ".join(QUESTIONS[i] for i in rng.integers(0, len(QUESTIONS), size=size)).strip() or "x"
    found = parts_of(text, 0, len(text))
    assert (0, len(text)) in found
    assert 1 <= len(found) <= MAX_PIECES * (MAX_PIECES + 1) // 2
    assert found == sorted(set(found))
    for start, end in found:
        assert text[start:end] == text[start:end].strip() != ""
    covered = {index for start, end in found if (start, end) != (0, len(text)) for index in range(start, end)}
    assert len(found) == 1 or {n for n, letter in enumerate(text) if not letter.isspace()} <= covered


def test_nothing_has_no_parts() -> None:
    assert parts_of("", 0, 0) == []
    assert parts_of("  \n ", 0, 4) == []


def test_many_questions_are_merged_to_the_limit() -> None:
    text = "what is bread now " * 40
    assert len(parts_of(text, 0, len(text))) == MAX_PIECES * (MAX_PIECES + 1) // 2


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
    ends = max(1, text.count(".") + text.count("\n"))
    assert len(windows(text, 0, len(text))) <= ends + len(text) / (MAX_CHARACTERS / 4) + 2


@pytest.mark.parametrize(
    "text",
    [
        "." * 60_000 + "x",
        '."' * 30_000 + "x",
        "?!'" * 20_000 + "x",
        " " * 60_000,
        "x" * 60_000,
        "." + '"' * 60_000,
        ":" * 60_000,
        ":" + " " * 60_000,
        ": " * 30_000,
        '","' * 20_000,
        '" ' * 30_000,
        "”,   " * 12_000,
        '"' + " " * 60_000,
        "what is " * 8_000,
        "what " + " " * 60_000 + "is",
        "\n" * 60_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_text_makes_the_cutting_slow(text: str) -> None:
    start = time.thread_time()
    for clause in clauses(text, 0, len(text)):
        parts_of(text, *clause)
    windows(text, 0, len(text))
    assert time.thread_time() - start < 2  # backtracking took a minute


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(lambda n: "what is he a " * (n // 13), id="questions"),
        pytest.param(lambda n: "what " * (n // 5), id="question words"),
        pytest.param(lambda n: "is " * (n // 3), id="verbs"),
        pytest.param(lambda n: "word " * (n // 5), id="words"),
        pytest.param(lambda n: "Who is it? " * (n // 11), id="clauses"),
        pytest.param(lambda n: ("what" + " " * (n // 100) + "is he so ") * 100, id="gaps"),
    ],
)
def test_cutting_takes_time_in_proportion_to_the_length(hostile: Callable[[int], str]) -> None:
    def seconds(length: int) -> float:
        text, best = hostile(length), float("inf")
        for _ in range(3):
            start = time.process_time()
            for clause in clauses(text, 0, len(text)):
                parts_of(text, *clause)
            windows(text, 0, len(text))
            best = min(best, time.process_time() - start)
        return best

    seconds(5_000)
    assert seconds(80_000) < 8 * seconds(20_000) + 0.05  # 4 times as long; 16 times for a square
