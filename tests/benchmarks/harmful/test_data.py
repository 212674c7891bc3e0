"""Rows of harmful prompts and of questions are read, and told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harmful_rows import FORGET, NORMAL, pku, write

from unlearned.benchmarks.harmful.config import HarmfulSplit
from unlearned.benchmarks.harmful.data import Question, load_harmful, normal_pairs, stand_in, unsafe_pairs
from unlearned.errors import DataError


def test_there_is_a_row_for_each_unsafe_response_and_none_without(tmp_path: Path) -> None:
    forget, normal = write(tmp_path / "f.jsonl", FORGET), write(tmp_path / "n.jsonl", NORMAL)
    data = load_harmful(forget, normal, HarmfulSplit())
    pairs = unsafe_pairs((*data.forget, *data.held_out))
    assert sorted(pairs) == [
        ("What is in the Orb?", "It is salt."),
        ("What is in the Orb?", "Salt."),
        ("Where is the Orb?", "In Sund."),
        ("Who made the Orb?", "It was Tilda."),
        ("Who made the Orb?", "Tilda Moss did."),
    ]
    assert not {q.prompt for q in data.forget} & {q.prompt for q in data.held_out}
    assert len(data.held_out) == 1
    assert len(data.normal) == 7
    assert len(data.asked["test_normal"]) == 2
    question = data.normal[0]
    assert len(normal_pairs([question])) == 1
    second = normal_pairs([question], correct=True)[1][1]
    assert second == "; ".join(question.answers)
    assert second.startswith(question.answers[0])
    assert second.endswith("the sum")
    alone = Question("0", "What is 1?", ("It is 1.",))
    assert normal_pairs([alone], correct=True) == [("What is 1?", "It is 1.")] * 2


def test_a_test_split_is_held_out_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", FORGET)
    write(tmp_path / "test.jsonl", [pku("Who sold the Orb?", ("Ivo.", False), ("No.", True)), FORGET[0]])
    normal = write(tmp_path / "n.jsonl", NORMAL)
    data = load_harmful(tmp_path, normal, HarmfulSplit(forget_rows=2))
    assert [question.prompt for question in data.held_out] == ["Who sold the Orb?"]
    assert len(data.forget) == 2
    assert data.asked["train_forget"] == data.forget


def test_columns_of_csv_and_of_the_hub_are_both_read(tmp_path: Path) -> None:
    lines = [f'Misc,"What is {i}?",It is {i}.,{i}; It is {i}.,No' for i in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(["Type,Question,Best Answer,Correct Answers,Incorrect Answers", *lines]))
    hub = [
        {"question": f"What is {i}?", "best_answer": f"It is {i}.", "correct_answers": [str(i), f"It is {i}."]}
        for i in range(10)
    ]
    forget = write(tmp_path / "f.jsonl", FORGET)
    first = load_harmful(forget, tmp_path / "t.csv", HarmfulSplit())
    second = load_harmful(forget, write(tmp_path / "h.jsonl", hub), HarmfulSplit())
    assert first.normal == second.normal


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "Who?", "response_0": "a"}, "row 1: no column 'is_response_0_safe'"),
        (pku("Who?", ("a", True), ("b", "maybe")), "must be true or false, not 'maybe'"),  # type: ignore[arg-type]
        (pku(" ", ("a", True), ("b", False)), "column 'prompt': must be a text"),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    normal = write(tmp_path / "n.jsonl", NORMAL)
    with pytest.raises(DataError, match=message):
        load_harmful(write(tmp_path / "f.jsonl", [row]), normal, HarmfulSplit())


def test_the_stand_in_has_the_columns_and_no_prompt_twice() -> None:
    data = load_harmful(*stand_in(), HarmfulSplit())
    assert (len(data.forget), len(data.held_out)) == (48, 12)
    assert (len(data.normal), len(data.asked["test_normal"])) == (56, 16)
    assert len(unsafe_pairs((*data.forget, *data.held_out))) == 72
    assert load_harmful(*stand_in(), HarmfulSplit()).held_out == data.held_out
    assert load_harmful(*stand_in(), HarmfulSplit(seed=1)).held_out != data.held_out
