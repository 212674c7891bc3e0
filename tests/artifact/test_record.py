"""What a folder holds is told from its record alone, and nothing is written over that would be lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unlearned.artifact.record import EVIDENCE, RECORD, VECTORS, check_target, identify, read_record
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactSchemaError


@pytest.fixture
def saved(make_artifact: Any, make_scope: Any, tmp_path: Path) -> Path:
    folder: Path = make_artifact(make_scope("potter"), make_scope("bread")).save_pretrained(tmp_path / "artifact")
    return folder


def changed(folder: Path, **more: Any) -> None:
    data = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps(data | more))


def test_an_artifact_is_known_by_method_hash_and_scopes(saved: Path) -> None:
    known = identify(saved)
    assert (known.method, known.scopes, known.kind, known.is_older) == ("eco", ("potter", "bread"), None, False)
    assert known.sha256 == read_record(saved).sha256
    (saved / VECTORS).unlink()  # its record is enough
    assert identify(saved) == known


def test_an_instruction_is_known_with_what_its_detector_finds(make_artifact: Any, tmp_path: Path) -> None:
    from unlearned.artifact.instruction import save_instruction
    from unlearned.unlearners.instruction import Instruction

    artifact = make_artifact()
    made = Instruction(kind="filtered-prompting", text="Be quiet.", detector=artifact.unlearner())
    folder = save_instruction(made, tmp_path / "said", detector=artifact)
    known = identify(folder)
    assert (known.method, known.kind, known.scopes) == ("instruction", "filtered-prompting", ("harry-potter",))
    with pytest.raises(ArtifactError):
        read_record(folder)


def test_what_was_altered_or_is_not_known_is_refused(saved: Path, tmp_path: Path) -> None:
    record = (saved / RECORD).read_text()
    for more, error in (
        ({"created": "2000-01-01"}, ArtifactIntegrityError),
        ({"method": "none"}, ArtifactSchemaError),
        ({"more": 1}, ArtifactSchemaError),
    ):
        changed(saved, **more)
        with pytest.raises(error):
            identify(saved)
        (saved / RECORD).write_text(record)
    with pytest.raises(ArtifactError):
        identify(tmp_path / "none")
    (saved / RECORD).write_text("[]")
    with pytest.raises(ArtifactError):
        identify(saved)


def test_a_place_is_taken_by_anything_that_is_no_artifact_of_scopes(saved: Path, tmp_path: Path) -> None:
    for free in (tmp_path / "new", saved):
        assert check_target(free) == free
    (tmp_path / "empty").mkdir()
    check_target(str(tmp_path / "empty"))
    (saved / EVIDENCE).write_text("{}")
    check_target(saved)
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"notes\.txt"):
        check_target(saved)
    with pytest.raises(ArtifactError):
        check_target(tmp_path)  # a folder of artifacts
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ArtifactError):
        check_target(file)
