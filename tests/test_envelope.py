"""Every artifact has a record that says what it is, and that notices every change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unlearned.envelope import (
    ECO,
    INSTRUCTION,
    OTHERS,
    RECORD,
    SPUL,
    check_method_place,
    check_sha256,
    libraries,
    method_in,
    named,
    older_sha256,
    read_content,
    read_file,
    read_json,
    record_file,
    record_sha256,
    write_record,
)
from unlearned.errors import (
    ArtifactError,
    ArtifactIntegrityError,
    ArtifactSchemaError,
    ArtifactVersionError,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "artifact"
    made.mkdir()
    (made / "data").write_bytes(b"\x00\xff")
    write_record(made, SPUL, {"text": "Zoé", "numbers": (1, 2)}, {"data": b"\x00\xff"})
    return made


def changed(folder: Path, **more: Any) -> None:
    data = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**data, **more}))


def test_what_is_written_is_read_and_the_order_of_fields_does_not_count(folder: Path) -> None:
    data = read_content(folder, SPUL, ("text", "numbers"))
    assert (data["text"], data["numbers"]) == ("Zoé", [1, 2])
    assert set(data["files"]) == {"data"}
    assert read_file(folder, "data", data["files"]["data"]) == b"\x00\xff"
    (folder / RECORD).write_text(json.dumps(dict(reversed(data.items()))))
    check_sha256(folder, read_json(folder))
    assert record_sha256(data) == record_sha256({**data, "sha256": "anything"}) == data["sha256"]


def test_any_change_is_noticed_and_named(folder: Path, tmp_path: Path) -> None:
    own = (folder / RECORD).read_text()
    fields = ("text", "numbers")
    for more, error in (
        ({"text": "Zoe"}, ArtifactIntegrityError),
        ({"created": "2000"}, ArtifactIntegrityError),
        ({"more": 1}, ArtifactSchemaError),
        ({"schema_version": 1}, ArtifactVersionError),
        ({"schema_version": "2"}, ArtifactVersionError),
        ({"method": ECO}, ArtifactError),
        ({"method": ["x"]}, ArtifactError),
    ):
        changed(folder, **more)
        with pytest.raises(error):
            read_content(folder, SPUL, fields)
        (folder / RECORD).write_text(own)
    with pytest.raises(ArtifactSchemaError, match="other"):
        read_content(folder, SPUL, (*fields, "other"))
    for text, error in (("[]", ArtifactSchemaError), ("{", ArtifactIntegrityError), ("", ArtifactIntegrityError)):
        (folder / RECORD).write_text(text)
        with pytest.raises(error):
            read_json(folder)
    (folder / RECORD).write_bytes(b"\xff")
    with pytest.raises(ArtifactIntegrityError):
        read_json(folder)
    for name, sha256 in (("data", "0" * 64), ("data", None), ("none", "0" * 64)):
        with pytest.raises(ArtifactIntegrityError, match=name):
            read_file(folder, name, sha256)


def test_a_folder_without_a_record_is_told_what_it_holds(tmp_path: Path, folder: Path) -> None:
    for file in OTHERS:
        other = tmp_path / file.replace(".", "-")
        other.mkdir()
        (other / file).write_text("{}")
        with pytest.raises(ArtifactIntegrityError) as refused:
            read_json(other)
        assert OTHERS[file].partition(":")[0] in str(refused.value)
    with pytest.raises(ArtifactIntegrityError, match="artifact"):
        read_json(tmp_path)  # a folder of artifacts
    with pytest.raises(ArtifactIntegrityError):
        read_json(tmp_path / "none")


def test_older_records_are_known_by_their_files(tmp_path: Path, folder: Path) -> None:
    assert method_in(folder) == SPUL
    older = tmp_path / "older"
    older.mkdir()
    assert method_in(older) is None
    (older / "instruction.json").write_text("{}")
    assert (method_in(older), record_file(older).name) == (INSTRUCTION, "instruction.json")
    before = older_sha256(older)
    (older / "instruction.json").write_text("{ }")
    assert older_sha256(older) != before
    (older / RECORD).write_text("broken")
    assert method_in(older) is None
    assert record_file(older).name == RECORD
    assert record_file(tmp_path / "none").name == RECORD


def test_only_its_own_kind_is_replaced_and_only_if_that_is_wanted(tmp_path: Path, folder: Path) -> None:
    assert check_method_place(tmp_path / "new", SPUL, overwrite=False) == tmp_path / "new"
    assert check_method_place(folder, SPUL, overwrite=True) == folder
    for method, overwrite in ((SPUL, False), (INSTRUCTION, True), (INSTRUCTION, False)):
        with pytest.raises(ArtifactError):
            check_method_place(folder, method, overwrite=overwrite)


def test_methods_and_libraries_have_names_also_where_they_are_not_known() -> None:
    assert named(ECO) != named(SPUL)
    assert "'none'" in named("none")
    found = libraries(("torch", "surely-not-installed"))
    assert found["surely-not-installed"] == "unknown"
    assert found["torch"][0].isdigit()
