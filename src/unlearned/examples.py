"""Input rows: JSONL or CSV with a `prompt`/`question`/`text` column, and optionally `answer`, `id` and what else the
objectives of a strength read: `choices`, `paraphrased_answer`, `wrong_answers`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np

from unlearned.errors import DataError

T = TypeVar("T")

PROMPT_COLUMNS = ("prompt", "question", "text")
WRONG_COLUMNS = ("wrong_answers", "perturbed_answer")


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt of a user's file."""

    prompt: str
    answer: str | None = None
    id: str | int | None = None
    choices: tuple[str, ...] = ()
    """The options of a multiple-choice question; `answer` is one of them. The prompt does not list them."""

    paraphrased_answer: str | None = None
    """The answer in other words."""

    wrong_answers: tuple[str, ...] = ()
    """Answers of the same form that are false."""


Rows = Sequence[str | Row | Mapping[str, Any]]
"""What the Python interface takes: prompts, rows, or mappings with the columns of a file."""


def read_rows(path: str | Path) -> list[Row]:
    """Read a `.jsonl` or `.csv` file.

    Raises:
        DataError: the file is missing, empty or not UTF-8, or a row is bad; names file, line and column.
    """
    file = Path(path)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{file}, line {line}: not UTF-8 text. Convert the file to UTF-8.") from error
    if file.suffix.lower() == ".csv":
        rows = _csv_rows(file, text)
    elif file.suffix.lower() in (".jsonl", ".json", ".ndjson"):
        rows = _jsonl_rows(file, text)
    else:
        raise DataError(f"{file}: unknown kind of file {file.suffix!r}. Give a .jsonl or .csv file.")
    if not rows:
        raise DataError(f"{file} has no rows. Give at least one prompt.")
    return rows


def as_rows(examples: Rows, *, name: str) -> list[Row]:
    """The Python interface's prompts as rows; `name` says which argument a bad one stands in."""
    if isinstance(examples, str):
        raise DataError(f"{name} is one text. Give a list of prompts.")
    given = [
        {"prompt": one} if isinstance(one, str) else asdict(one) if isinstance(one, Row) else one for one in examples
    ]
    return [as_row(data, f"{name}[{index}]") for index, data in enumerate(with_indices(given))]


def with_indices(rows: Sequence[Any]) -> list[Any]:
    """Rows with answers as integers where they are indices that CSV has made texts of.

    In CSV the answer "1" can mean the second choice, as 1 does in JSON, or the choice that reads "1". The whole column
    decides: it holds indices if each answer is a whole number from 0 that is in range of its own row's choices. If one
    is not (a letter, a text, a number as high as there are choices), all stay what they are, and of these a number that
    is one of its row's choices is meant itself.

    Args:
        rows: all rows of a file. Only those count whose `choices` are a text that holds a list, as CSV has them.
    """
    of_csv = [_is_of_csv(row) for row in rows]
    if not all(_is_index(row) for row, is_text in zip(rows, of_csv, strict=True) if is_text):
        return list(rows)
    return [
        {**row, "answer": int(row["answer"])} if is_text else row for row, is_text in zip(rows, of_csv, strict=True)
    ]


def evenly(items: Sequence[T], most: int | None) -> list[T]:
    """At most so many of the items, evenly spread, in their order."""
    if most is None or len(items) <= most:
        return list(items)
    return [items[round(index)] for index in np.linspace(0, len(items) - 1, num=most)]


def background_prompts() -> list[str]:
    """The general prompts that ship with the package: negatives for every scope."""
    text = files("unlearned").joinpath("data/background.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["prompt"] for line in text.splitlines() if line]


def _jsonl_rows(file: Path, text: str) -> list[Row]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{file}, line {number}, column {error.colno}: not valid JSON ({error.msg}).") from error
        rows.append(as_row(data, f"{file}, line {number}"))
    return rows


def _csv_rows(file: Path, text: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found, places, done = [], [], 0
    try:
        if not any(column in (reader.fieldnames or ()) for column in PROMPT_COLUMNS):
            raise DataError(f"{file}, line 1: no column named {_names()}. The header has: {reader.fieldnames}.")
        done = reader.reader.line_num
        for data in reader:
            done = reader.reader.line_num  # the DictReader's own one stays behind after empty lines
            place = f"{file}, line {done}"
            if None in data:
                raise DataError(f"{place}: more values than the header has columns. Quote values that contain commas.")
            found.append({k: v for k, v in data.items() if v is not None})
            places.append(place)
    except csv.Error as error:
        # Where the row starts: an open quote is only noticed at the end of the file.
        raise DataError(f"{file}, line {done + 1}: not valid CSV ({error}).") from error
    return [as_row(data, place) for data, place in zip(with_indices(found), places, strict=True)]


def as_row(data: Any, place: str) -> Row:
    """One row as a file has it.

    Args:
        data: column -> value; of CSV, see `with_indices`.
        place: what an error calls it.

    Raises:
        DataError: it is no row.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"{place}: not an object with a {_names()} field.")
    present = [column for column in PROMPT_COLUMNS if column in data]
    if len(present) != 1:
        found = f"has {' and '.join(present)}" if present else f"has only: {', '.join(map(str, data)) or 'nothing'}"
        raise DataError(f"{place}: needs exactly one of the columns {_names()}, but {found}.")
    prompt, answer, identifier = data[present[0]], data.get("answer"), data.get("id")
    if not _is_text(prompt) or not prompt.strip():
        raise DataError(f"{place}, column {present[0]!r}: must be a text that is not empty, not {prompt!r}.")
    choices = _texts(data, ("choices",), place)
    if choices:
        answer = _chosen(answer, choices, place)
    if answer is not None and not _is_text(answer):
        raise DataError(f"{place}, column 'answer': must be a text, not {answer!r}.")
    if identifier is not None and (isinstance(identifier, bool) or not isinstance(identifier, (str, int))):
        raise DataError(f"{place}, column 'id': must be a text or an integer, not {identifier!r}.")
    paraphrased = data.get("paraphrased_answer")
    if paraphrased is not None and not _is_text(paraphrased):
        raise DataError(f"{place}, column 'paraphrased_answer': must be a text, not {paraphrased!r}.")
    return Row(prompt, answer or None, identifier, choices, paraphrased or None, _texts(data, WRONG_COLUMNS, place))


def _texts(data: Mapping[str, Any], columns: Sequence[str], place: str) -> tuple[str, ...]:
    """A column that holds a list of texts; in CSV, as JSON."""
    column = next((name for name in columns if data.get(name)), None)
    if column is None:
        return ()
    value = data[column]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise DataError(f"{place}, column {column!r}: not a JSON list ({error.msg}).") from error
    if not isinstance(value, (list, tuple)) or not all(_is_text(item) and item for item in value):
        raise DataError(f"{place}, column {column!r}: must be a list of texts, not {value!r}.")
    return tuple(value)


def _is_of_csv(row: Any) -> bool:
    return isinstance(row, Mapping) and isinstance(row.get("choices"), str) and bool(row["choices"])


def _is_index(row: Mapping[str, Any]) -> bool:
    """Whether the answer is a text that holds the index of a choice."""
    answer = row.get("answer")
    try:
        count = len(_texts(row, ("choices",), ""))
    except DataError:  # raised with its place when the row is read
        return False
    return isinstance(answer, str) and answer.isdecimal() and int(answer) < count


def _chosen(answer: Any, choices: tuple[str, ...], place: str) -> str:
    """The right option, given by its index from 0, its letter or itself.

    A text that is an option is meant itself, also where it reads like the letter or the number of another one. Of CSV,
    which has texts only, see `with_indices`.
    """
    if isinstance(answer, str) and answer in choices:
        return answer
    if isinstance(answer, str) and len(answer) == 1 and "A" <= answer.upper() < chr(ord("A") + len(choices)):
        return choices[ord(answer.upper()) - ord("A")]
    if isinstance(answer, str) and answer.isdecimal():
        answer = int(answer)
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
        return choices[answer]
    raise DataError(f"{place}, column 'answer': must name one of the {len(choices)} choices, not {answer!r}.")


def _is_text(value: Any) -> TypeGuard[str]:
    # JSON can escape half of a surrogate pair, which is no character and which no tokenizer takes.
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _names() -> str:
    return "/".join(PROMPT_COLUMNS)
