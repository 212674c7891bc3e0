"""JSON lines of a benchmark's data, checked for the columns that are needed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from unlearned.errors import DataError
from unlearned.tables import read_table


@cache
def json_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a file, in order.

    Raises:
        DataError: it cannot be read, holds no row, or a row lacks a column; names file, line and column.
    """
    table = read_table(path, known=columns)
    for row, place in zip(table.rows, table.places, strict=True):
        if missing := [column for column in columns if not isinstance(row, dict) or column not in row]:
            raise DataError(f"{place}: no column {missing[0]!r}.")
    if not table.rows:
        raise DataError(f"{path} has no rows.")
    return table.rows
