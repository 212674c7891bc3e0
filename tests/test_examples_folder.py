"""The files in `examples/` run as they stand."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_the_quickstart_forgets_one_subject_and_keeps_the_other(tmp_path: Path) -> None:
    answers = runpy.run_path(str(EXAMPLES / "quickstart.py"))["main"](tmp_path / "hp")
    assert [flagged for flagged, _ in answers] == [True, False]
    assert "Rowling" not in answers[0][1]
    assert "Paris" in answers[1][1]
    assert (tmp_path / "hp" / "unlearner.json").is_file()
