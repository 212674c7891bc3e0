"""What the probes ask: questions with answers, and with options or labels for what is read out of hidden states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unlearned.benchmarks.source import Source
from unlearned.errors import ConfigError, DataError
from unlearned.examples import PROMPT_COLUMNS, Row, as_row, evenly, with_indices

SPLITS = ("test", "train")
WRONG = 3
"""Wrong answers that become options, where a row lists no options."""

NAMED = 10
"""Rows that a message names."""

FEWEST = 2
"""Questions of a label: one to learn from, and one to be asked."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    id: str
    text: str
    answer: str | None
    """Its true answer."""

    options: tuple[str, ...]
    """The right one first; empty where there are none."""

    label: str | None
    """What is read out of the prompt's hidden states, where it is not the letter of an option: an author, say."""

    fact: str | None
    """What tells the answer, for relearning in context."""


def load_questions(
    place: str | Path, *, split: str | None = None, where: Mapping[str, str] | None = None, limit: int | None = None
) -> tuple[list[Question], str]:
    """Questions, and the SHA-256 of their rows.

    Args:
        place: a .jsonl, .json or .csv file, a folder of them, or OWNER/NAME of the hub. Columns: `question` (or
            `prompt`, `text`); `answer`; `choices` or `wrong_answers`; optionally `label` and `fact`.
        split: of a folder or the hub; None: `test`, else `train`.
        where: column -> value: only rows that have it.
        limit: at most so many, evenly spread.

    Raises:
        DataError: the file is not there, a row lacks what is needed, or no row is left.
    """
    source = Source(place)
    found = split or source.find(SPLITS)
    if found is None:
        raise DataError(f"{place} has no split {' or '.join(SPLITS)}. Name one with --split.")
    rows = list(enumerate(with_indices(source.rows(found, [PROMPT_COLUMNS]))))
    for column, value in (where or {}).items():
        if not any(column in row for _, row in rows):
            raise DataError(f"{place}: no column {column!r}. The first row has: {', '.join(rows[0][1])}.")
        rows = [(index, row) for index, row in rows if str(row.get(column)) == value]
    if not rows:
        raise DataError(f"{place}: no row has {', '.join(f'{c}={v}' for c, v in (where or {}).items())}.")
    questions = []
    for index, row in evenly(rows, limit):
        read = as_row(row, f"{place}, row {index + 1}")
        extra = {name: None if row.get(name) is None else str(row[name]) for name in ("label", "fact")}
        questions.append(Question(f"{index}", read.prompt, read.answer, options_of(read), **extra))
    _check(questions, place)
    return questions, source.sha256[found]


def options_of(row: Row) -> tuple[str, ...]:
    """The right option first; with wrong answers, where no options are listed."""
    if row.answer is None:
        return ()
    if row.choices:
        right = row.choices.index(row.answer)
        return (row.answer, *row.choices[:right], *row.choices[right + 1 :])  # another one may read the same
    # Wrong answers are written after the paraphrase: beside the answer itself, their wording would give them away.
    return (row.paraphrased_answer or row.answer, *row.wrong_answers[:WRONG]) if row.wrong_answers else ()


def parse_where(conditions: list[str] | None) -> dict[str, str]:
    """Read COLUMN=VALUE; raises `ConfigError` where it is written otherwise."""
    found = {}
    for condition in conditions or ():
        column, equals, value = condition.partition("=")
        if not (column and equals):
            raise ConfigError(f"--where {condition!r}: write COLUMN=VALUE.")
        found[column] = value
    return found


def _check(questions: list[Question], place: str | Path) -> None:
    labelled = sum(question.label is not None for question in questions)
    if labelled not in (0, len(questions)):
        raise DataError(f"{place}: {labelled} of {len(questions)} rows have a label. Give all of them one, or none.")
    if not labelled and not all(question.options for question in questions):
        missing = next(question.id for question in questions if not question.options)
        raise DataError(
            f"{place}, row {int(missing) + 1}: nothing to read out. A row needs a label, or an answer with choices or "
            "wrong_answers."
        )
    if labelled:
        counts = Counter(question.label for question in questions)
        if len(counts) < 2:
            raise DataError(f"{place}: all rows have the same label. A probe needs at least two.")
        label, count = counts.most_common()[-1]
        if count < FEWEST:
            raise DataError(f"{place}: only {count} row has the label {label!r}. Give at least {FEWEST} of each.")
        return
    usual, _ = Counter(len(question.options) for question in questions).most_common(1)[0]
    if others := [question for question in questions if len(question.options) != usual]:
        rows = ", ".join(str(int(question.id) + 1) for question in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise DataError(
            f"{place}: most questions have {usual} options, but not those in the rows {rows}{more}. Give all of them "
            "the same number, or leave these out."
        )
