"""Tables of the terminal."""

from __future__ import annotations

from typing import Any

from rich import table


class Table(table.Table):
    """Shows every letter: a word that is wider than its column goes on in the next line, and is not cut with "…"."""

    def add_column(self, *arguments: Any, **options: Any) -> None:
        super().add_column(*arguments, **{"overflow": "fold", **options})

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*cells, **options)
        for column in self.columns:  # also those that this row has brought
            column.overflow = "fold"
