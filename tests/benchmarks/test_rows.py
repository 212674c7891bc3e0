"""Rows of a benchmark have the columns that it needs, or the place is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearned.benchmarks.rows import json_rows
from unlearned.errors import DataError


def test_rows_are_read_in_order_and_once(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1, "b": 2}\n{"b": null, "a": 3}\n')
    assert json_rows(file, ("a", "b")) == [{"a": 1, "b": 2}, {"b": None, "a": 3}]
    assert json_rows(file, ("a", "b")) is json_rows(file, ("a", "b"))


@pytest.mark.parametrize(
    ("text", "match"), [('{"a": 1}\n{"b": 2}\n', "line 2: no column 'a'"), ("[1]", "no column 'a'"), ("", "no rows")]
)
def test_a_row_without_a_column_is_named(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(DataError, match=match):
        json_rows(tmp_path / "rows.jsonl", ("a",))
