"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from unlearned.files import write_bytes, write_text


def test_what_was_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"\x00\xff\r\n")
    write_text(tmp_path / "b.txt", "Été\r\n\u2028🦊")
    assert (tmp_path / "a").read_bytes() == b"\x00\xff\r\n"
    assert (tmp_path / "b.txt").read_bytes() == "Été\r\n\u2028🦊".encode()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b.txt"}


def test_an_older_file_is_replaced_and_readable_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a much longer text than the new one")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("stage", ["replace", "fdopen"])
def test_a_crash_while_writing_leaves_the_older_file_and_no_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def crash(*args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, stage, crash)
    with pytest.raises(OSError, match="no space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_reader_never_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "a", list[str]()
    path.write_text("old")
    replace = os.replace

    def watched(source: str, target: Path) -> None:
        seen.append(path.read_text())
        replace(source, target)
        seen.append(path.read_text())

    monkeypatch.setattr(os, "replace", watched)
    write_text(path, "new" * 10_000)
    assert seen == ["old", "new" * 10_000]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none/a", "x")
