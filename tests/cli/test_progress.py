"""Progress is one bar per phase, on the error stream."""

from __future__ import annotations

import pytest

from unlearned.cli.progress import progress


def test_each_phase_has_one_bar_that_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as report:
        for done in range(3):
            report("fit [x]", done, 2)
        report("answers", 1, 5)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("fit [x]") == said.err.count("answers") == 1
    assert "2/2" in said.err
    assert "1/5" in said.err
