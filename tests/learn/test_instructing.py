"""Instructions say what is not to be known, and show answers that are not the row's own."""

from __future__ import annotations

import pytest

from cases import every
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.learn.instructing import examples_in_context, not_to_know

FORGET = [Row("Who is Ada?", "A countess."), Row("Who is Bea?", "A baker."), Row("Who is Cea?", "A pilot.")]
RETAIN = [Row("What is tea?", "A drink."), Row("What is rye?", "A grain.")]


def test_every_name_is_listed() -> None:
    text = not_to_know(["Ada", "Häuser {x}"])
    assert "- Ada\n- Häuser {x}\n" in text
    assert text.endswith("\n\n")
    with pytest.raises(ConfigError):
        not_to_know([])


@every("seed", range(20))
def test_forget_rows_have_answers_of_others_and_retain_rows_their_own(seed: int) -> None:
    lines = examples_in_context(FORGET, RETAIN, seed=seed, prompt="Q: {prompt} A: ").strip().split("\n\n")
    assert len(lines) == 5
    for row, line in zip(FORGET, lines, strict=False):
        assert line.startswith(f"Q: {row.prompt} A: ")
        assert not line.endswith(str(row.answer))
    assert lines[3:] == [f"Q: {row.prompt} A: {row.answer}" for row in RETAIN]
    assert examples_in_context(FORGET, RETAIN, seed=seed) == examples_in_context(FORGET, RETAIN, seed=seed)


def test_labels_are_flipped_and_no_more_rows_are_shown_than_asked_for() -> None:
    forget, retain = [Row(f"f{n}", "good") for n in range(9)], [Row(f"r{n}", "bad") for n in range(9)]
    lines = examples_in_context(forget, retain, shown=2).strip().split("\n\n")
    assert [line.rpartition("\n")[2] for line in lines] == ["bad"] * 4
    assert [line[0] for line in lines] == ["f", "f", "r", "r"]


def test_braces_in_prompts_and_answers_are_left_as_they_are() -> None:
    rows = [Row("What is {answer}?", "{prompt}"), Row("b", "c")]
    text = examples_in_context(rows[1:], rows[:1])
    assert "What is {answer}?\n{prompt}" in text


def test_what_has_no_wrong_answer_is_refused() -> None:
    for forget, retain in (
        ([], RETAIN),
        (FORGET, []),
        ([Row("a")], RETAIN),
        (FORGET, [Row("a")]),
        ([Row("a", "x")], [Row("b", "x")]),
    ):
        with pytest.raises(DataError):
            examples_in_context(forget, retain)
