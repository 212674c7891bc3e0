"""An artifact is in force as long as a process holds it, and no longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unlearned.artifact.in_force import Hold, is_in_force
from unlearned.envelope import RECORD

pytest.importorskip("fcntl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / RECORD).write_text("{}")
    return tmp_path


def test_it_is_in_force_until_the_last_hold_has_ended(folder: Path) -> None:
    assert not is_in_force(folder)
    one, other = Hold(folder), Hold(folder)
    assert is_in_force(folder)
    one.end()
    one.end()
    assert is_in_force(folder)
    del other
    assert not is_in_force(folder)


def test_asking_takes_no_hold_and_a_folder_without_an_artifact_is_not_in_force(folder: Path, tmp_path: Path) -> None:
    hold = Hold(folder)
    for _ in range(3):
        assert is_in_force(folder)
    hold.end()
    assert not is_in_force(folder)
    assert not is_in_force(tmp_path / "none")
    Hold(tmp_path / "none").end()


@pytest.mark.slow
def test_the_hold_of_a_process_ends_with_it_however_it_ends(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from unlearned.artifact.in_force import Hold; "
        "hold = Hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert is_in_force(folder)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not is_in_force(folder)
