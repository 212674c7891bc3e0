"""What all commands have in common: their help is whole, and what is given twice is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bench.__main__ import app as measurements
from unlearned.cli import main
from unlearned.cli.bench import bench
from unlearned.cli.command import Command
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


def _commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield from _commands(command) if hasattr(command, "commands") else [command]


@pytest.mark.parametrize("app", [main.app, bench, measurements])
def test_every_command_refuses_to_drop_what_is_given_twice(app: typer.Typer) -> None:
    own = _commands(typer.main.get_command(app))
    assert [command.name for command in own if not isinstance(command, Command)] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["fit", "--forget", "a.csv", "--scope", "a", "--forget", "b.csv", "--out", "o"], "--forget is given 2 times"),
        (["fit", "--forget", "a", "--scope", "a", "-o", "o", "--out", "p", "-o", "q"], "--out is given 3 times"),
        (["generate", "--input", "a.jsonl", "-i", "b.jsonl"], "--input is given 2 times"),
        (["bench", "tofu", "--seeds", "1", "--seeds", "2"], "--seeds is given 2 times"),
    ],
)  # fmt: skip
def test_an_option_with_one_value_that_is_given_twice_is_an_error(
    given: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["unlearned", *given])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"unlearned: {said}, and takes one value. Give it once."
