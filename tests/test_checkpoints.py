"""A folder of checkpoints belongs to one training, and nothing else is deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearned.checkpoints import claim, last_complete, read_json
from unlearned.errors import ConfigError, FitWarning


def take(record: Path, fingerprint: str) -> None:
    claim(record, fingerprint, foreign="something else", stale="another training")


def test_a_training_finds_its_own_and_another_one_starts_anew(tmp_path: Path) -> None:
    record = tmp_path / "run.unfinished" / "of.json"
    take(record, "one")
    (record.parent / "checkpoint-5").mkdir()
    take(record, "one")
    assert (record.parent / "checkpoint-5").is_dir()
    with pytest.warns(FitWarning, match="another training"):
        take(record, "two")
    assert [path.name for path in record.parent.iterdir()] == ["of.json"]
    assert read_json(record) == {"sha256": "two"}


def test_a_folder_with_anything_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    take(folder / "of.json", "one")  # an empty one may be used
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("words")
    file = tmp_path / "file"
    file.write_text("x")
    for place in (other, file):
        with pytest.raises(ConfigError, match="something else"):
            take(place / "of.json", "one")
    assert (other / "thesis.txt").read_text() == "words"


def test_the_last_checkpoint_is_the_one_of_the_highest_step_that_is_whole(tmp_path: Path) -> None:
    assert last_complete(tmp_path) is None
    for step, state in ((9, "{}"), (10, json.dumps({"global_step": 10})), (100, "{"), (11, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_complete(tmp_path) == str(tmp_path / "checkpoint-10")


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\xff{")
    assert read_json(tmp_path / "broken") is read_json(tmp_path / "none") is read_json(tmp_path) is None
