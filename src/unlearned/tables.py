"""Tables of people: rows of JSON, JSON lines or CSV, read as far as nothing has to be guessed."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearned.errors import DataError, DataWarning
from unlearned.texts import read_user_text

JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
CSV_SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, and what an error calls each."""

    rows: list[Any]
    places: list[str]
    header: tuple[str, ...] | None = None
    """The columns of a CSV file."""


def read_table(
    path: str | Path, *, known: Sequence[str] = (), wanted: Callable[[Sequence[str]], str] | None = None
) -> Table:
    """The rows of a `.jsonl`, `.json`, `.csv` or `.tsv` file.

    JSON may be one object a line, or an array. CSV may begin with a line `sep=;`; columns that differ from a known one
    in case and blanks only get its name, and rows without any value are left out.

    Args:
        path: the file.
        known: names of columns.
        wanted: says what is missing in a CSV file's header, or nothing.

    Raises:
        DataError: the file is missing or not what its name says; names file, line and the cause.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if file.is_dir():
        raise DataError(f"{file} is a directory. Give a .jsonl or .csv file.")
    if suffix not in (*JSON_SUFFIXES, *CSV_SUFFIXES):
        raise DataError(f"{file}: unknown kind of file {file.suffix!r}. Give a .jsonl or .csv file.")
    text = read_user_text(file)
    return _csv(file, text, known, wanted) if suffix in CSV_SUFFIXES else _json(file, text)


def _json(file: Path, text: str) -> Table:
    if text.lstrip().startswith("[") and not (_is_json(text.lstrip().partition("\n")[0]) and not _is_json(text)):
        try:
            rows = _loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{file}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg})."
            ) from error
        return Table(rows, [f"{file}, row {number}" for number in range(1, len(rows) + 1)])
    rows, places = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_loads(line))
        except json.JSONDecodeError as error:
            if _is_json(text):
                raise DataError(
                    f"{file}, line {number}: one JSON object over several lines. Write one object a line, or an array "
                    "of objects."
                ) from error
            hint = " It seems to be CSV: name it .csv." if number == 1 and line.lstrip()[:1] not in "{[" else ""
            raise DataError(
                f"{file}, line {number}, column {error.colno}: not valid JSON ({error.msg}).{hint}"
            ) from error
        places.append(f"{file}, line {number}")
    return Table(rows, places)


def _loads(text: str) -> Any:
    """What JSON says; numbers that are none (NaN, Infinity) are no value, because nothing written here may hold them.

    Raises:
        json.JSONDecodeError: it is no JSON, or more than can be read.
    """
    try:
        return json.loads(text, parse_constant=lambda name: None)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("too many brackets inside each other", text, 0) from error
    except ValueError as error:  # a number of thousands of digits
        raise json.JSONDecodeError("a number is too long", text, 0) from error


def _is_json(text: str) -> bool:
    try:
        _loads(text)
    except ValueError:
        return False
    return True


def _csv(file: Path, text: str, known: Sequence[str], wanted: Callable[[Sequence[str]], str] | None) -> Table:
    separator, first = ("\t" if file.suffix.lower() == ".tsv" else ","), 0
    if stated := re.match(r'"?sep=(.)"?[ ,;]*\r?\n', text, re.IGNORECASE):
        separator, first = stated[1], 1
        text = text[stated.end() :]
    if not text.strip():
        raise DataError(f"{file} is empty. Give a header and at least one row.")
    rows, places, blank, done = [], [], 0, first
    with _long_fields(len(text)):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            header = _header(next(filter(None, reader), []), known, f"{file}, line {first + 1}")
            if wanted is not None and (missing := wanted(header)):
                raise DataError(f"{file}, line {first + 1}: {missing}{_separator(text, header, separator)}")
            done = first + reader.line_num
            for cells in reader:
                done = first + reader.line_num
                if not any(cell.strip() for cell in cells):
                    blank += bool(cells)
                    continue
                place = f"{file}, line {done}"
                if any(cell.strip() for cell in cells[len(header) :]):
                    quoted = "commas" if separator == "," else repr(separator)
                    raise DataError(
                        f"{place}: more values than the header has columns. Quote values that contain {quoted}."
                    )
                rows.append({name: cell for name, cell in zip(header, cells, strict=False) if name})
                places.append(place)
        except csv.Error as error:
            # Where the row starts: an open quote is only noticed at the end of the file.
            raise DataError(f"{file}, line {done + 1}: not valid CSV ({error}).") from error
    if blank:
        warnings.warn(f"{file}: left out, because they hold no value: {blank} rows.", DataWarning, stacklevel=2)
    return Table(rows, places, tuple(header))


def _header(cells: Sequence[str], known: Sequence[str], place: str) -> list[str]:
    names = {name.casefold(): name for name in known}
    header = [names.get(cell.strip().casefold(), cell.strip()) for cell in cells]
    if double := next((name for n, name in enumerate(header) if name and name in header[:n]), None):
        raise DataError(f"{place}: two columns are named {double!r}. Rename one of them.")
    return header


def _separator(text: str, header: Sequence[str], separator: str) -> str:
    """The likely cause of a header without the columns that are wanted."""
    line = text.lstrip().partition("\n")[0]
    other = next((mark for mark in (";", "\t", ",", "|") if mark != separator and mark in line), None)
    if line.startswith(("{", "[")):
        return " It seems to be JSON: name it .jsonl."
    if len(header) > 1 or other is None:
        return ""
    if other == "\t":  # which a line of a terminal does not show
        return " The separator seems to be a tab: name the file .tsv, or save it with commas."
    return f" The separator seems to be {other!r}: save the file with commas, or write 'sep={other}' as its first line."


_LIMIT = threading.Lock()


@contextmanager
def _long_fields(characters: int) -> Iterator[None]:
    """The csv module's limit of a field, which holds for the whole process, raised for a moment."""
    with _LIMIT:
        before = csv.field_size_limit()
        csv.field_size_limit(max(before, characters + 1))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def is_missing(value: Any) -> bool:
    """None, and what pandas and JSON's NaN put in its place."""
    return (
        value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")
    )


def present(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that have a value."""
    return {name: value for name, value in row.items() if not is_missing(value)}
