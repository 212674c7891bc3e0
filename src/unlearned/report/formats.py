"""One table as Markdown, as LaTeX (booktabs) and for the terminal; and the list of limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from unlearned.report.table import Cell, Column, ReportTable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≈": r"$\approx$",
    "–": "--",
}
_POWER = re.compile(r"(\d\.\d)e([+-]\d+)")
_MINUS = re.compile(r"(?<!\w)-(?=\d)")


def as_markdown(table: ReportTable) -> str:
    """A heading and a pipe table."""
    heads = [table.first, *(f"{column.group}: {column.heading}".removeprefix(": ") for column in table.columns)]
    found = [f"## {table.caption}", "", _pipes(heads), _pipes(["---", *["---:"] * len(table.columns)])]
    for section in table.sections:
        if section.title:
            found.append(_pipes([f"*{_plain(section.title)}*", *[""] * len(table.columns)]))
        for row in section.rows:
            label = _plain(f"{row.label} ({row.note})" if row.note else row.label)
            found.append(_pipes([label, *map(_markdown_cell, row.cells)]))
    return "\n".join(found) + "\n"


def limits_as_markdown(sentences: Sequence[str]) -> str:
    """What the numbers of a benchmark do not show, as a list; every report in Markdown ends with it."""
    return "What this does not prove:\n\n" + "".join(f"- {sentence}\n" for sentence in sentences)


def as_latex(table: ReportTable) -> str:
    """A `tabular` for `booktabs`; intervals are small print below the values."""
    width = len(table.columns) + 1
    found = [f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\toprule"]
    if any(column.group for column in table.columns):
        found += _groups(table.columns)
    found.append(_ampersands([table.first, *(column.heading for column in table.columns)]))
    for section in table.sections:
        found.append(r"\midrule")
        if section.title:
            found.append(f"\\multicolumn{{{width}}}{{l}}{{\\emph{{{latex(section.title)}}}}} \\\\")
        for row in section.rows:
            label = latex(f"{row.label} ({row.note})" if row.note else row.label)
            found.append(" & ".join([label, *map(_latex_cell, row.cells)]) + r" \\")
    return "\n".join([*found, r"\bottomrule", r"\end{tabular}"]) + "\n"


def as_rich(table: ReportTable) -> RichTable:
    """A table for the terminal: values without intervals."""
    from rich.table import Table as RichTable
    from rich.text import Text

    def styled(words: str, style: str = "") -> Text:
        return Text(words, style=style)

    found = RichTable(box=None, pad_edge=False)
    found.add_column(styled(table.first))
    for column in table.columns:
        found.add_column(styled(column.heading), justify="right")
    for section in table.sections:
        if section.title:
            found.add_row(styled(section.title, "italic"))
        for row in section.rows:
            cells = [styled(cell.text, "bold" if cell.best else "") for cell in row.cells]
            marks = ["!" if cell.flag else "" for cell in row.cells]
            found.add_row(styled(row.label), *(text.append(mark) for text, mark in zip(cells, marks, strict=True)))
    return found


def latex(text: str) -> str:
    """The text with everything escaped that LaTeX would read."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown and the HTML in it leave alone."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.best else cell.text
    return " ".join(
        [text, *([f"({cell.detail})"] if cell.detail else []), *([f"**{cell.flag}**"] if cell.flag else [])]
    )


def _latex_cell(cell: Cell) -> str:
    text = f"\\textbf{{{_numbers(cell.text)}}}" if cell.best else _numbers(cell.text)
    text += r"$^{!}$" if cell.flag else ""
    interval = _numbers(cell.detail).replace(" to ", ", ")
    return f"\\shortstack[r]{{{text}\\\\{{\\tiny [{interval}]}}}}" if cell.detail else text


def _numbers(text: str) -> str:
    """With powers of ten and minus signs as in formulas."""
    found = _POWER.sub(lambda power: f"${power[1]}\\times10^{{{int(power[2])}}}$", latex(text))
    return _MINUS.sub("$-$", found) if "$" not in found else found


def _groups(columns: Sequence[Column]) -> list[str]:
    cells, rules, first = [""], [], 2
    for name, own in groupby(columns, key=lambda column: column.group):
        count = len(list(own))
        cells.append(f"\\multicolumn{{{count}}}{{c}}{{{latex(name)}}}")
        rules.append(f"\\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _ampersands(cells: Sequence[str]) -> str:
    return " & ".join(map(latex, cells)) + r" \\"
