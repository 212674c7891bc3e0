"""An interrupted command tells what it has kept."""

from __future__ import annotations

import pytest

from unlearned.cli import main
from unlearned.cli.running import interrupted


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
