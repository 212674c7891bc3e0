"""Questions that can be probed are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from probes_rows import write

from tiny_rows import FORGET
from unlearned.benchmarks.probes.data import load_questions, parse_where
from unlearned.errors import ConfigError, DataError


def test_questions_are_read_with_options_labels_and_conditions(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    file = write(tmp_path, rows)
    questions, digest = load_questions(file, where={"subject": "forget"})
    assert [question.text for question in questions] == FORGET
    assert questions[1].options == ("a school", "a wizard", "a fox", "a dog")
    assert load_questions(file, limit=3)[1] == digest
    assert [question.id for question in load_questions(file, limit=2)[0]] == ["0", "7"]
    wrong = [{"question": "Who?", "answer": "x", "perturbed_answer": list("abcde")}]
    assert load_questions(write(tmp_path, wrong, "wrong.jsonl"))[0][0].options == ("x", "a", "b", "c")
    worded = [{**wrong[0], "paraphrased_answer": "y"}]
    assert load_questions(write(tmp_path, worded, "wrong.jsonl"))[0][0].options == ("y", "a", "b", "c")
    labelled = [{"prompt": text, "label": index % 2} for index, text in enumerate(FORGET)]
    assert [q.label for q in load_questions(write(tmp_path, labelled, "labels.jsonl"))[0]] == ["0", "1", "0", "1"]
    assert parse_where(["a=b=c"]) == {"a": "b=c"}


def test_questions_that_cannot_be_probed_are_refused(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    def load(found: list[dict[str, Any]], **more: Any) -> None:
        load_questions(write(tmp_path, found), **more)

    with pytest.raises(DataError, match="row 1: nothing to read out"):
        load([{"question": "Who?", "answer": "x"}])
    with pytest.raises(DataError, match="1 of 2 rows have a label"):
        load([{"question": "Who?", "label": "a"}, {"question": "What?"}])
    with pytest.raises(DataError, match="only 1 row has the label 'b'"):
        load([{"question": "Who?", "label": label} for label in "aab"])
    with pytest.raises(DataError, match="most questions have 4 options, but not those in the rows 2, 5"):
        load([rows[0], {**rows[1], "choices": ["a", "b"]}, *rows[2:4], {**rows[4], "choices": ["a"]}])
    with pytest.raises(DataError, match="row 2: nothing to read out"):
        load([{**rows[4]}, {"question": "Who?", "subject": "forget"}], where={"subject": "forget"})
    with pytest.raises(DataError, match="no column 'topic'"):
        load(rows, where={"topic": "x"})
    with pytest.raises(DataError, match="no row has subject=y"):
        load(rows, where={"subject": "y"})
    with pytest.raises(ConfigError, match="COLUMN=VALUE"):
        parse_where(["subject"])


def test_an_option_that_reads_like_the_right_one_stays(tmp_path: Path) -> None:
    rows = [
        {"question": "Who?", "choices": ["a fox", "a dog", "a fox", "a cat"], "answer": 2},
        {"question": "What?", "choices": ["a fox", "a dog", "a cow", "a cat"], "answer": 1},
    ]
    questions, _ = load_questions(write(tmp_path, rows))
    assert [len(question.options) for question in questions] == [4, 4]
    assert sorted(questions[0].options) == sorted(rows[0]["choices"])
    assert questions[0].options[0] == "a fox"


def test_answers_of_csv_are_indices_as_in_json_whatever_rows_are_chosen(tmp_path: Path) -> None:
    options = json.dumps(["1", "2", "3", "4"]).replace('"', '""')
    file = tmp_path / "questions.csv"
    file.write_text(f'question,choices,answer,subject\nHow many?,"{options}",1,a\nHow few?,"{options}",3,b\n')
    assert [question.answer for question in load_questions(file)[0]] == ["2", "4"]
    file.write_text(f'question,choices,answer,subject\nHow many?,"{options}",1,a\nHow few?,"{options}",4,b\n')
    assert [question.answer for question in load_questions(file, where={"subject": "a"})[0]] == ["1"]
