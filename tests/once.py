"""What is made once in a test run, for all of its processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A file that the first process to ask for it makes. Others wait for that one.

    Args:
        folders: of this test run.
        name: of the file, the same in every process.
        make: writes the file to the path that it gets.
    """
    folder = folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all processes
    file = folder / name
    with FileLock(f"{file}.lock"):
        if not file.exists():
            unfinished = file.with_name(f"{name}.unfinished")
            make(unfinished)
            unfinished.rename(file)
    return file
