"""Where a benchmark's rows come from: a local file, a folder with a file per split, or a data set of the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearned.errors import DataError, first_line
from unlearned.extras import require
from unlearned.tables import read_table

SUFFIXES = (".jsonl", ".json", ".csv", ".ndjson", ".tsv")

DataRow = Mapping[str, Any]


class Source:
    """Rows by split; what is read is remembered with its hash.

    Args:
        place: a file (every split is this file), a folder with `SPLIT.jsonl`, `.json` or `.csv`, or a hub name.
        config: of a hub data set.

    Raises:
        DataError: the place looks like a path and is not there.
    """

    def __init__(self, place: str | Path, config: str | None = None) -> None:
        self._path, self._config = Path(place).expanduser(), config
        self._hub = None if self._path.exists() else str(place)
        if self._hub is not None and (self._hub.count("/") != 1 or self._hub.startswith((".", "/", "~"))):
            raise DataError(f"There is no file or folder {place}. Give one, or the name of a data set: OWNER/NAME.")
        self._splits: Sequence[str] | None = None
        self.sha256: dict[str, str] = {}
        """Split -> SHA-256 of its rows."""

    def find(self, names: Sequence[str]) -> str | None:
        """The first of these splits that there is."""
        return next((name for name in names if self._has(name)), None)

    def needs_several(self, *splits: str) -> None:
        """Raise `DataError` if the place is one file: every split would be the same rows."""
        if self._path.is_file() and len(splits) > 1:
            wanted = ", ".join(f"{split}.*" for split in splits)
            raise DataError(f"{self._path} is one file. Give a folder with a file for each split: {wanted}.")

    def rows(self, split: str, columns: Sequence[Sequence[str]]) -> list[DataRow]:
        """The rows of a split, in their order.

        Args:
            split: one that `find` found.
            columns: what each row must have; of alternatives, one.

        Raises:
            DataError: it cannot be read, holds no row, or a row lacks a column; names file, line and column.
        """
        where, rows = self._hub_rows(split) if self._hub is not None else _file_rows(self._file(split))
        if not rows:
            raise DataError(f"{where} has no rows.")
        for number, row in enumerate(rows, start=1):
            for names in columns:
                if not isinstance(row, Mapping) or not any(row.get(name) is not None for name in names):
                    raise DataError(f"{where}, row {number}: no column {' or '.join(map(repr, names))}.")
        self.sha256[split] = hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()
        return list(rows)

    def _has(self, split: str) -> bool:
        if self._hub is None:
            return self._file(split).is_file()
        if self._splits is None:
            datasets = _datasets()
            try:
                self._splits = list(datasets.get_dataset_split_names(self._hub, self._config))
            except Exception as error:  # no network, no such name, gone: each has its own kind
                raise DataError(f"Cannot fetch {self._hub} from the hub: {first_line(error)}") from error
        return split in self._splits

    def _file(self, split: str) -> Path:
        if self._path.is_file():
            return self._path
        files = [self._path / f"{split}{suffix}" for suffix in SUFFIXES]
        return next((file for file in files if file.is_file()), files[0])

    def _hub_rows(self, split: str) -> tuple[str, Sequence[DataRow]]:
        datasets = _datasets()
        try:
            found = datasets.load_dataset(self._hub, self._config, split=split)
        except Exception as error:
            raise DataError(f"Cannot fetch {split} of {self._hub} from the hub: {first_line(error)}") from error
        return f"{self._hub}, {split}", [dict(row) for row in found]


def text_of(row: DataRow, names: Sequence[str], place: str) -> str:
    """The text in the first of these columns that the row has.

    Raises:
        DataError: it is no text, or empty.
    """
    name = next(name for name in names if row.get(name) is not None)
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}, column {name!r}: must be a text that is not empty, not {value!r}.")
    return value


def truth_of(row: DataRow, name: str, place: str) -> bool:
    """A truth value, also as CSV writes it.

    Raises:
        DataError: it is none.
    """
    value = row[name]
    found = {"true": True, "false": False, "1": True, "0": False}.get(str(value).strip().lower())
    if found is None:
        raise DataError(f"{place}, column {name!r}: must be true or false, not {value!r}.")
    return found


def _file_rows(file: Path) -> tuple[str, list[DataRow]]:
    return str(file), list(read_table(file).rows)


def _datasets() -> Any:
    return require("datasets", extra="eval", purpose="Data of the hub")
