"""People's words are printed as they are."""

from __future__ import annotations

import pytest

from unlearned.cli.console import console

WORDS = "[red]HP[/red] [/] :smile: [link=x] {b}\\[/bold]"


def test_peoples_words_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    from unlearned.cli.chat import _side_by_side
    from unlearned.cli.console import bold
    from unlearned.cli.options import status
    from unlearned.cli.progress import progress

    made = console(log_width=200)
    table = Table(WORDS, title=f"scope {WORDS}", title_justify="left")
    table.add_row(bold(WORDS))
    made.print(table)
    made.print(f"Leaks, {WORDS}")
    _side_by_side(made, WORDS, WORDS, True)
    with status(WORDS), progress() as report:
        report(WORDS, 1, 1)
    shown = capsys.readouterr()
    assert " ".join(shown.out.split()).count(WORDS) == 6
