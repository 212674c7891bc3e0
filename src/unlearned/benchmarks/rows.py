"""JSON lines of a benchmark's data, checked for the columns that are needed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from unlearned.errors import DataError


@cache
def json_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a file, in order.

    Raises:
        DataError: it cannot be read, holds no row, or a row lacks a column; names file, line and column.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # splitlines would split at more than line ends
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. The benchmark needs this file.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not valid JSON ({error.msg}).") from error
        if missing := [column for column in columns if not isinstance(row, dict) or column not in row]:
            raise DataError(f"{path}, line {number}: no column {missing[0]!r}.")
        rows.append(row)
    if not rows:
        raise DataError(f"{path} has no rows.")
    return rows
