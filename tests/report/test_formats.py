"""Tables as Markdown, LaTeX and on a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from made_run import make_run

from unlearned.report.formats import as_latex, as_markdown, as_rich, latex
from unlearned.report.read import read_run
from unlearned.report.table import Cell, Column, ReportTable, Section, TableRow
from unlearned.report.tables import flag_table, main_table, set_table

UNLEARNERS = ("none", "eco", "eco-zo", "prompting")


@pytest.fixture
def three_seeds(tmp_path: Path) -> Path:
    make_run(tmp_path / "run", unlearners=UNLEARNERS, seeds=3, forget=20)
    return tmp_path / "run"


HOSTILE = ReportTable(
    "t", "Caption", "model",
    (Column("a|b", "x", "high", "group_1"), Column("p", "y")),
    (Section("50 % & <b>", (TableRow("a_b|c\n#", (Cell("1.0e-16", 1e-16, "0.000 to 1.2e-05 q", True), Cell("–"))),)),),
)  # fmt: skip


def test_markdown_keeps_its_columns_whatever_the_names_hold() -> None:
    rows = [line for line in as_markdown(HOSTILE).splitlines() if line.startswith("|")]
    assert len(rows) == 4
    for row in rows[2:]:
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert "<b>" not in as_markdown(HOSTILE).replace("\\<b\\>", "")
    assert "**1.0e-16** (0.000 to 1.2e-05 q)" in rows[-1]


def test_latex_has_as_many_cells_in_every_row_and_escapes_the_rest(three_seeds: Path) -> None:
    run = read_run(three_seeds)
    for table in (main_table([run, run]), set_table([run]), flag_table(run), HOSTILE):
        text = as_latex(table)
        assert text.count("{") == text.count("}")
        for row in text.splitlines():
            if row.endswith(r"\\") and "\\multicolumn{" not in row:
                assert len(re.findall(r"(?<!\\)&", row)) == len(table.columns)
        assert not re.search(r"(?<!\\)[%#_]", text)
        assert text.isascii()
    assert r"\textbf{$1.0\times10^{-16}$}" in as_latex(HOSTILE)
    assert r"50 \% \& " in as_latex(HOSTILE)
    negative = ReportTable(
        "t", "c", "m", (Column("r"),), (Section("", (TableRow("x", (Cell("-0.143", -0.143, "-0.8 to 0.7 q"),)),)),)
    )
    assert r"\shortstack[r]{$-$0.143\\{\tiny [$-$0.8, 0.7 q]}}" in as_latex(negative)
    assert latex("\\{~^}") == r"\textbackslash{}\{\textasciitilde{}\textasciicircum{}\}"


def test_the_terminal_table_prints_markup_in_names_as_it_is() -> None:
    from rich.console import Console

    table = ReportTable(
        "t", "c", "model", (Column("p"),), (Section("[red]", (TableRow("[bold]x", (Cell("[1]", best=True),)),)),)
    )
    written = io.StringIO()
    Console(width=80, file=written).print(as_rich(table))
    text = written.getvalue()
    assert "[red]" in text
    assert "[bold]x" in text
    assert "[1]" in text
