"""What the command says when it ends early."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import typer

from bench.__main__ import app as measurements
from unlearned.cli import main
from unlearned.cli.bench.moved import MOVED


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command sets a handler of its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


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
