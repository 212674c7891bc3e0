"""TOFU's splits and prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tofu_rows import elsewhere, pair, perturbed, write_tofu

from unlearned.benchmarks.tofu.config import TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tofu(tmp_path / "tofu").parent


def test_the_last_author_is_forgotten_and_all_others_are_retained(folder: Path) -> None:
    data = load_tofu(folder, TofuSplit())
    assert [p.question for p in data.forget_pairs] == [pair(3, fact)["question"] for fact in range(20)]
    assert len(data.retain_pairs) == 60
    assert data.all_pairs == data.retain_pairs + data.forget_pairs
    assert [row.id for row in data.forget] == [f"full/{n}" for n in range(60, 80)]
    assert data.forget[0].wrong_answers == tuple(perturbed(3, 0)["perturbed_answer"])
    assert data.forget[0].paraphrased_question == "Tell me book 0 of Guy Hall."
    assert [row.id for row in data.retain] == [f"full/{n}" for n in range(20)]  # as published
    assert data.real_authors[0].paraphrased_answer == data.real_authors[0].answer
    assert {name: len(rows) for name, rows in data.sets().items()} == {
        "retain": 20,
        "forget": 20,
        "real_authors": 6,
        "world_facts": 6,
    }


def test_with_fewer_authors_retain_questions_are_about_those_that_exist(folder: Path) -> None:
    data = load_tofu(folder, TofuSplit(authors=3))
    assert len(data.retain_pairs) == 40
    assert [row.id for row in data.retain] == [f"full/{n}" for n in range(20, 60)]
    assert {row.question for row in data.retain} == {p.question for p in data.retain_pairs}


def test_the_number_of_forgotten_authors_can_be_chosen(folder: Path) -> None:
    data = load_tofu(folder, TofuSplit(authors=4, forget_authors=2))
    assert [row.id for row in data.forget] == [f"full/{n}" for n in range(40, 80)]
    assert len(data.retain_pairs) == 40
    assert [row.id for row in data.retain] == [f"full/{n}" for n in range(40)]


def test_a_limit_takes_the_first_rows_of_every_set(folder: Path) -> None:
    data = load_tofu(folder, TofuSplit(limit=3))
    assert {len(rows) for rows in data.sets().values()} == {3}
    assert len(data.all_pairs) == 6
    assert data.forget_pairs[0].question == data.forget[0].question


def test_the_hash_is_of_the_files_and_not_of_their_place(folder: Path, tmp_path: Path) -> None:
    first = load_tofu(folder, TofuSplit()).sha256
    again = write_tofu(tmp_path / "again")
    assert load_tofu(again, TofuSplit(limit=3)).sha256 == first
    changed = [elsewhere(n) for n in range(7)]
    assert load_tofu(write_tofu(again, real_authors_perturbed=changed), TofuSplit()).sha256 != first


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"full": [{"question": "Who?"}]}, "no column 'answer'"),
        ({"forget01_perturbed": [pair(3, 0)]}, "no column 'paraphrased_answer'"),
        ({"world_facts_perturbed": [elsewhere(1) | {"perturbed_answer": "one"}]}, "perturbed_answer"),
        ({"real_authors_perturbed": [elsewhere(1) | {"answer": 3}]}, "column 'answer'"),
        ({"full": [pair(0, 0)]}, "multiple of 20"),
        ({"forget01_perturbed": [perturbed(2, fact) for fact in range(20)]}, "not the question of row 60"),
        ({"full": None}, "Cannot read"),
    ],
)
def test_bad_data_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    write_tofu(tmp_path / "tofu", **changes)
    with pytest.raises(DataError, match=says):
        load_tofu(tmp_path, TofuSplit())


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"authors": 9}, "the data has 4"),
        ({"authors": 2, "forget_authors": 2}, "none is left"),
        ({"forget_authors": 4}, "largest forget split"),
        ({"split": "forget02"}, "must be one of"),
        ({"authors": 0}, "at least 1"),
        ({"limit": 1}, "at least 2"),
    ],
)
def test_bad_splits_are_refused(folder: Path, chosen: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_tofu(folder, TofuSplit(**chosen))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data folder"):
        load_tofu(tmp_path / "nowhere", TofuSplit())


def test_json_files_as_on_the_hub_are_read_too(folder: Path) -> None:
    before = load_tofu(folder, TofuSplit())
    for file in (folder / "tofu").glob("*.jsonl"):
        file.rename(file.with_suffix(".json"))
    assert load_tofu(folder / "tofu", TofuSplit()) == before
    assert json.loads((folder / "tofu" / "full.json").read_text().splitlines()[0]) == pair(0, 0)
