"""What the command says when it ends early."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from bench.__main__ import app as measurements
from unlearned.cli import main
from unlearned.cli.bench import bench
from unlearned.cli.bench.moved import MOVED
from unlearned.cli.command import Command
from unlearned.cli.running import interrupted


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command sets a handler of its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_an_interrupted_command_does_not_deny_what_it_has_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def exited() -> None:
        raise SystemExit(130)  # typer's own

    for how in (interrupted, exited):
        monkeypatch.setattr(main, "app", how)
        for command, goes_on in (("fit", True), ("classify", False)):
            monkeypatch.setattr("sys.argv", ["unlearned", command])
            with pytest.raises(SystemExit) as ended:
                main.main()
            assert ended.value.code == 130
            (line,) = capsys.readouterr().err.splitlines()
            said = " The same command goes on from its finished steps." if goes_on else ""
            assert line == f"unlearned: Interrupted.{said}"


@pytest.mark.parametrize(
    ("given", "goes_on"),
    [
        (["generate", "--input", "a.jsonl", "--out", "b.jsonl"], True),
        (["classify", "hp", "a.jsonl", "-o", "b.jsonl"], True),
        (["classify", "hp", "a.jsonl", "--out=b.jsonl"], True),
        (["generate", "--input", "a.jsonl"], False),
        (["chat", "--system", "-o"], False),
    ],
)
def test_rows_that_a_file_keeps_are_spoken_of(given: list[str], goes_on: bool) -> None:
    assert ("goes on" in interrupted(given, main.GO_ON)) == goes_on


@pytest.mark.parametrize("asked", MOVED)
def test_a_measurement_that_is_not_installed_gets_one_line_that_says_where_it_is(
    asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["unlearned", "bench", *asked.split()])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    command = typer.main.get_command(measurements)
    assert line.startswith("unlearned: ")
    assert line.rpartition("python -m bench ")[2] in command.commands  # type: ignore[attr-defined]


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
