"""What a folder holds is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WORDS = "[red]HP[/red] [/] :smile: [link=x] {b}\\[/bold]"


def test_inspect_shows_the_command_of_a_fit_as_it_was(
    make_artifact: Any, make_scope: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from dataclasses import replace

    from unlearned.artifact.schema import MadeRecord
    from unlearned.cli.inspect import show

    made = (MadeRecord(step="detector", at="2026-12-01", command=f"unlearned fit --scope {WORDS}"),)
    folder = replace(make_artifact(make_scope("hp")), made=made).save_pretrained(tmp_path / "hp")
    monkeypatch.setenv("COLUMNS", "400")
    show(folder)
    assert f"unlearned fit --scope {WORDS} ()" in capsys.readouterr().out
