"""A table as a value, which HTML, Markdown, LaTeX and the terminal write down alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["high", "low", "retained"]
"""What is best: the highest value, the lowest, or the one that is closest to the retained model's."""

SIGNS: dict[Better | None, str] = {"high": "↑", "low": "↓", "retained": "≈R", None: ""}


@dataclass(frozen=True, slots=True)
class Column:
    """One measure."""

    title: str
    key: str = ""
    """Key in `Model.values`."""

    better: Better | None = None
    group: str = ""
    """What stands above several columns."""

    @property
    def heading(self) -> str:
        return f"{self.title} {SIGNS[self.better]}".strip()


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table."""

    text: str
    value: float | None = None
    """The number, not rounded."""

    detail: str = ""
    """The interval, with the letter of what it lets vary."""

    best: bool = False
    flag: str = ""
    """A warning."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A label and a cell for each column."""

    label: str
    cells: tuple[Cell, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that are compared with each other; the title is the run's, where there are several."""

    title: str
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A whole table."""

    name: str
    caption: str
    first: str
    """Above the labels."""

    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
