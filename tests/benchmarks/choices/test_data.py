"""Questions of MMLU and WMDP: groups, limits, files, and the exact prompt."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from choices_rows import CLOSE, MACRO, MICRO, question, write_mmlu, write_rows

from unlearned.benchmarks.choices.data import Question, load_mmlu
from unlearned.errors import ConfigError, DataError


def test_subjects_are_forgotten_close_or_others(tmp_path: Path) -> None:
    data = load_mmlu(write_mmlu(tmp_path), "economics", examples=5)
    assert {q.subject for q in data.sets["forget"]} == {MACRO, MICRO}
    assert {q.subject for q in data.sets["close"]} == {CLOSE}
    assert {q.subject for q in data.sets["others"]} == {"astronomy", "anatomy"}
    assert [len(data.sets[name]) for name in ("forget", "close", "others")] == [12, 6, 12]
    assert [q.subject for q in data.forget_examples] == [MACRO] * 3 + [MICRO] * 3 + [""] * 5
    assert {q.subject for q in data.retain_examples} == {CLOSE, "astronomy", "anatomy"}
    assert set(data.sha256) == {"dev", "test"}


def test_the_whole_test_has_nothing_to_forget(tmp_path: Path) -> None:
    data = load_mmlu(write_mmlu(tmp_path), "full")
    assert list(data.sets) == ["others"]
    assert len(data.sets["others"]) == 30
    assert data.forget_examples == ()


def test_limits_take_the_first_questions_of_each_subject(tmp_path: Path) -> None:
    data = load_mmlu(write_mmlu(tmp_path), "economics", limit=2, others=1)
    assert [q.id for q in data.sets["forget"]] == [f"{MACRO}/0", f"{MACRO}/1", f"{MICRO}/0", f"{MICRO}/1"]
    assert [q.id for q in data.sets["others"]] == ["astronomy/0", "anatomy/0"]
    assert "others" not in load_mmlu(tmp_path, "economics", others=0).sets


def test_no_example_is_asked_in_the_test(tmp_path: Path) -> None:
    write_mmlu(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "dev.jsonl").read_text().splitlines()]
    write_rows(tmp_path / "dev.jsonl", [*rows, question(MACRO, 0), question(MICRO, 10)])
    examples = {q.prompt(header=False) for q in load_mmlu(tmp_path, "economics", examples=0).forget_examples}
    asked = {q.prompt(header=False) for own in load_mmlu(tmp_path, "economics").sets.values() for q in own}
    assert len(examples) == 7
    assert not examples & asked


def test_csv_and_letters_are_read_alike(tmp_path: Path) -> None:
    whole = load_mmlu(write_mmlu(tmp_path / "json"), "economics")
    (tmp_path / "csv").mkdir()
    for name in ("dev", "test"):
        rows = [json.loads(line) for line in (tmp_path / "json" / f"{name}.jsonl").read_text().splitlines()]
        with (tmp_path / "csv" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for row in rows:
                writer.writerow({**row, "choices": json.dumps(row["choices"]), "answer": "ABCD"[row["answer"]]})
    assert load_mmlu(tmp_path / "csv", "economics").sets == whole.sets
    with (tmp_path / "csv" / "dev.csv").open("w", newline="") as file:  # as some published files write a list
        writer = csv.DictWriter(file, ["subject", "question", "choices", "answer"])
        writer.writeheader()
        for row in (json.loads(line) for line in (tmp_path / "json" / "dev.jsonl").read_text().splitlines()):
            writer.writerow({**row, "choices": str(row["choices"])})
    assert load_mmlu(tmp_path / "csv", "economics").forget_examples == whole.forget_examples


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"choices": None}, "'choices'"),
        ({"answer": 4}, "must name one of the 4 options"),
        ({"answer": "E"}, "must name one of the 4 options"),
        ({"answer": True}, "must name one of the 4 options"),
        ({"choices": ["only one"]}, "list of 2 to 10"),
        ({"choices": "[1,"}, "not a JSON list"),
        ({"question": " "}, "'question'"),
        ({"subject": None}, "'subject'"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    write_mmlu(tmp_path)
    write_rows(tmp_path / "test.jsonl", [question(MACRO, 0), {**question(MICRO, 1), **change}])
    with pytest.raises(DataError, match="row 2") as error:
        load_mmlu(tmp_path, "economics")
    assert "test" in str(error.value)
    assert named in str(error.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    write_mmlu(tmp_path)
    with pytest.raises(ConfigError, match="economics, physics, law, full"):
        load_mmlu(tmp_path, "alchemy")
    with pytest.raises(DataError, match="college_physics"):
        load_mmlu(tmp_path, "physics")
    with pytest.raises(ConfigError, match="limit"):
        load_mmlu(tmp_path, "economics", limit=-1)
    (tmp_path / "dev.jsonl").unlink()
    with pytest.raises(DataError, match="has no dev"):
        load_mmlu(tmp_path, "economics")


def test_the_prompt_is_that_of_the_benchmark() -> None:
    asked = Question("x/0", "high_school_physics", " Why?\n", ("a", "b", "c", "d"), 2)
    body = "Why?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
    assert asked.prompt(header=False) == body
    assert asked.prompt(header=True) == (
        f"The following are multiple choice questions (with answers) about high school physics.\n\n{body}"
    )
    assert asked.letter == "C"
