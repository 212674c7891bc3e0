"""What all commands have in common: their help is whole, however narrow the terminal."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from bench.__main__ import app as measurements
from unlearned.cli import main
from unlearned.cli.bench import bench
from unlearned.cli.score import score

WIDTH = 80


def test_no_name_and_no_value_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for app in (main.app, bench, score, measurements):
        for name in sorted(typer.main.get_command(app).commands):  # type: ignore[attr-defined]
            shown = CliRunner().invoke(app, [name, "--help"])
            assert shown.exit_code == 0, name
            assert "…" not in shown.output, name
            assert max(map(len, shown.output.splitlines())) <= WIDTH, name
