"""Input rows: JSONL or CSV with a column `prompt`, `question` or `text`.

Further columns are optional: `answer`, `id`, and what else the objectives of a strength read (`choices`,
`paraphrased_answer`, `wrong_answers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from numbers import Integral
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from unlearned.errors import DataError
from unlearned.tables import present, read_table

T = TypeVar("T")

PROMPT_COLUMNS = ("prompt", "question", "text")
WRONG_COLUMNS = ("wrong_answers", "perturbed_answer")
KNOWN_COLUMNS = (*PROMPT_COLUMNS, "answer", "id", "choices", "paraphrased_answer", "facts", *WRONG_COLUMNS)


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

    facts: tuple[tuple[str, ...], ...] = ()
    """What an answer must not give away, each as the words by which it can be recognised; for `unlearned check`."""

    extra: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Columns that mean nothing here, to be written again beside what is found."""


Rows = Sequence[str | Row | Mapping[str, Any]] | Path
"""What the Python interface takes: prompts, rows, or mappings with the columns of a file; or the file."""


def read_rows(path: str | Path, *, prompt_column: str | None = None, answer_column: str | None = None) -> list[Row]:
    """Read a `.jsonl`, `.json`, `.csv` or `.tsv` file.

    Args:
        path: the file.
        prompt_column: name of the prompts' column, where it is none of `PROMPT_COLUMNS`.
        answer_column: name of the answers' column, where it is not "answer".

    Raises:
        DataError: the file is missing, empty or in an unknown encoding, or a row is bad; names file, line and column.
    """
    file = Path(path)

    def missing(header: Sequence[str]) -> str:
        for name in (prompt_column, answer_column):
            if name is not None and name.strip() not in header:
                return f"no column {name!r}. The header has: {list(header)}."
        if prompt_column is None and not any(column in header for column in PROMPT_COLUMNS):
            return f"no column named {_names()}. The header has: {list(header)}. Name one with --prompt-column."
        return ""

    named = [name.strip() for name in (prompt_column, answer_column) if name is not None]
    table = read_table(file, known=[*named, *KNOWN_COLUMNS], wanted=missing)
    if not table.rows:
        raise DataError(f"{file} has no rows. Give at least one prompt.")
    rows = [
        _renamed(data, place, prompt_column, answer_column)
        for data, place in zip(table.rows, table.places, strict=True)
    ]
    rows = with_indices(rows) if table.header is not None else rows
    hint = "" if prompt_column else " Name one with --prompt-column."
    return [as_row(data, place, hint=hint) for data, place in zip(rows, table.places, strict=True)]


def _renamed(data: Any, place: str, prompt_column: str | None, answer_column: str | None) -> Any:
    """A row whose named columns are called as ours are; of the others that are called so, none counts."""
    if not isinstance(data, Mapping):
        return data
    row = dict(data)
    for name, own, others in ((prompt_column, "prompt", PROMPT_COLUMNS), (answer_column, "answer", ("answer",))):
        if name is None:
            continue
        if name.strip() not in row:
            raise DataError(f"{place}: no column {name!r}, but has: {', '.join(map(str, data)) or 'nothing'}.")
        value = row.pop(name.strip())
        for other in others:
            row.pop(other, None)
        row[own] = value
    return row


def as_rows(examples: Rows, *, name: str) -> list[Row]:
    """The Python interface's prompts as rows; `name` says which argument a bad one stands in."""
    if isinstance(examples, str):
        raise DataError(f"{name} is one text. Give a list of prompts, or a file as Path({examples[:40]!r}).")
    if isinstance(examples, Path):
        return read_rows(examples)
    given = [
        {"prompt": one} if isinstance(one, str) else _columns(one) if isinstance(one, Row) else one for one in examples
    ]
    return [as_row(data, f"{name}[{index}]") for index, data in enumerate(with_indices(given))]


def _columns(row: Row) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in Row.__slots__ if name != "extra"}
    return {**row.extra, **columns}


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
    """At most `most` of the items, evenly spread, in their order."""
    if most is None or len(items) <= most:
        return list(items)
    step = (len(items) - 1) / max(1, most - 1)
    return [items[round(number * step)] for number in range(most)]


def background_prompts() -> list[str]:
    """The general prompts that ship with the package: negatives for every scope."""
    text = files("unlearned").joinpath("data/background.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["prompt"] for line in text.splitlines() if line]


def machine_texts() -> list[str]:
    """Code, logs, data and the like that ship with the package: negatives for the first pass of every scope."""
    text = files("unlearned").joinpath("data/machine_texts.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def as_row(data: Any, place: str, *, hint: str = "") -> Row:
    """One row as a file has it.

    Args:
        data: column -> value; of CSV, see `with_indices`.
        place: what an error calls it.
        hint: what can be done where it has no prompt, or several.

    Raises:
        DataError: it is no row.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"{place}: not an object with a {_names()} field.")
    written, data = data, present(data)
    given = [name for name in PROMPT_COLUMNS if name in data] or [name for name in PROMPT_COLUMNS if name in written]
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else f"has only: {', '.join(map(str, data)) or 'nothing'}"
        raise DataError(f"{place}: needs exactly one of the columns {_names()}, but {found}.{hint}")
    prompt, answer, identifier = data.get(given[0]), data.get("answer"), data.get("id")
    for name, value in data.items():
        if name in KNOWN_COLUMNS and isinstance(value, str) and not _is_text(value):
            raise DataError(f"{place}, column {name!r}: holds half of a character (a lone surrogate). Write it anew.")
    if not _is_text(prompt) or not prompt.strip():
        raise DataError(f"{place}, column {given[0]!r}: must be a text that is not empty, not {prompt!r}.")
    choices = _texts(data, ("choices",), place)
    if choices:
        answer = _chosen(answer, choices, place)
    if answer is not None and not _is_text(answer):
        raise DataError(f"{place}, column 'answer': must be a text, not {answer!r}.")
    if isinstance(identifier, float) and identifier.is_integer():  # a column of numbers with a gap
        identifier = int(identifier)
    if isinstance(identifier, Integral) and not isinstance(identifier, bool):
        identifier = int(identifier)
    if identifier is not None and (isinstance(identifier, bool) or not isinstance(identifier, (str, int))):
        raise DataError(f"{place}, column 'id': must be a text or an integer, not {identifier!r}.")
    paraphrased = data.get("paraphrased_answer")
    if paraphrased is not None and not _is_text(paraphrased):
        raise DataError(f"{place}, column 'paraphrased_answer': must be a text, not {paraphrased!r}.")
    extra = {str(name): value for name, value in data.items() if name not in KNOWN_COLUMNS}
    wrong = _texts(data, WRONG_COLUMNS, place)
    facts = _facts(data, place)
    return Row(prompt, answer or None, identifier, choices, paraphrased or None, wrong, facts, extra)


def _facts(data: Mapping[str, Any], place: str) -> tuple[tuple[str, ...], ...]:
    """The column `facts`: a list of texts, or of lists of texts that mean the same; in CSV, as JSON."""
    value = data.get("facts") or ()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise DataError(f"{place}, column 'facts': not a JSON list ({error.msg}).") from error
    if not isinstance(value, (list, tuple)):
        raise DataError(f"{place}, column 'facts': must be a list of texts or of lists of texts, not {value!r}.")
    facts = tuple(
        (one,) if isinstance(one, str) else tuple(one) if isinstance(one, (list, tuple)) else () for one in value
    )
    if not all(fact and all(_is_text(alias) and alias.strip() for alias in fact) for fact in facts):
        raise DataError(f"{place}, column 'facts': must be a list of texts or of lists of texts, not {value!r}.")
    return facts


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
