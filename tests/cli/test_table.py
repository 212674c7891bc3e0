"""Tables on a terminal."""

from __future__ import annotations

import pytest
from rich.text import Text

from unlearned.cli.console import console
from unlearned.cli.table import Table

WORDS = "[red]HP[/red] [/] :smile: [link=x] {b}\\[/bold]"


def test_tables_of_reports_show_labels_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    from unlearned.cli.console import console
    from unlearned.report.formats import as_rich
    from unlearned.report.table import Cell, Column, ReportTable, Section, TableRow

    row = TableRow(WORDS, (Cell(WORDS, best=True, flag="warning"),))
    table = ReportTable("name", "caption", WORDS, (Column(WORDS),), (Section(WORDS, (row,)),))
    console(log_width=400).print(as_rich(table))
    assert capsys.readouterr().out.count(WORDS) == 5


def test_a_table_shows_every_letter_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    digest, address = "0123456789abcdef" * 4, "https://example.org/" + "a" * 90
    plain = Table(show_header=False, box=None)
    plain.add_row("sha256", digest)
    beside = Table(expand=True)
    beside.add_column("original")
    beside.add_column("unlearned")
    beside.add_row(address, Text(address))
    terminal = console()
    terminal.width = 70
    for table in (plain, beside):
        terminal.print(table)
    shown = capsys.readouterr().out
    assert "…" not in shown
    letters = "".join(shown.split()).replace("│", "").replace("┃", "")
    assert digest in letters
    assert letters.count("a") >= 180
