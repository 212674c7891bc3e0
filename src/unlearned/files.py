"""Writing files and folders: each appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unlearned.errors import ArtifactError


def write_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file atomically, with these permissions; its folder must exist.

    Raises:
        OSError: it could not be written; an older file of this name is still there.
    """
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(scratch).chmod(mode)
        os.replace(scratch, path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def check_place(folder: str | Path, *, replaces: str | None = None) -> Path:
    """The folder as a path; raises `ArtifactError` if something is there already.

    Args:
        folder: where something new is to be.
        replaces: name of a file by which a folder is recognised that may be replaced; None = nothing may.
    """
    target = Path(folder)
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return target
    if replaces is not None and (target / replaces).is_file():
        return target
    hint = "It is nothing that --overwrite replaces" if replaces else "Add --overwrite (it is kept as NAME.previous)"
    raise ArtifactError(f"{target} exists. {hint}: choose another folder, or remove it.")


@contextmanager
def new_folder(place: Path, *, keep_previous: bool = False) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of what is there when the block ends; after an error all stays.

    Args:
        place: where.
        keep_previous: keep what was there as `NAME.previous`, in place of what that held before.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        new, old = scratch / "new", scratch / "old"
        new.mkdir()
        yield new
        if place.exists():
            os.replace(place, old)
        try:
            os.replace(new, place)
        except BaseException:
            if old.exists():
                os.replace(old, place)
            raise
        if keep_previous and old.exists():
            previous = place.with_name(f"{place.name}.previous")
            shutil.rmtree(previous, ignore_errors=True)
            os.replace(old, previous)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
