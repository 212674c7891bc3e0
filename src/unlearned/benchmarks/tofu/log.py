"""TOFU's published log format: what a model answered and how probable each answer was, question by question.

One JSON file (`eval_log_aggregated.json` beside the published models): four evaluation sets, each with its fields, each
of them from the row's number, as text, to a value. Losses are means over tokens, in nats. Source: the `locuslab/tofu`
repository, arXiv:2401.06121.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from unlearned.errors import ConfigError, DataError
from unlearned.files import write_text
from unlearned.metrics.estimate import Doubles
from unlearned.metrics.probability import ROUNDING, normalised_probability
from unlearned.metrics.truth_ratio import truth_ratio

Ints = npt.NDArray[np.int64]

SETS = {
    "retain": "eval_log.json",
    "forget": "eval_log_forget.json",
    "real_authors": "eval_real_author_wo_options.json",
    "world_facts": "eval_real_world_wo_options.json",
}
"""Our names of the evaluation sets -> those of the format."""

NORMALISED = ("real_authors", "world_facts")
"""Sets whose probability is taken relative to the wrong answers'."""

REQUIRED = {
    "answer_losses": "avg_gt_loss",
    "paraphrased_losses": "avg_paraphrased_loss",
    "wrong_losses": "average_perturb_loss",
    "rouge_recall": "rougeL_recall",
}
OPTIONAL = {
    "rouge1_recall": "rouge1_recall",
    "answer_tokens": "num_token_gt",
    "paraphrased_tokens": "num_token_paraphrased",
    "wrong_tokens": "num_token_perturb",
}
SUMS = {
    "gt_loss": ("answer_losses", "answer_tokens"),
    "paraphrased_loss": ("paraphrased_losses", "paraphrased_tokens"),
    "perturb_loss": ("wrong_losses", "wrong_tokens"),
}
"""Fields that are written for other readers: mean loss times number of tokens."""

PER_WRONG_ANSWER = ("wrong_losses", "wrong_tokens")


class Generated(NamedTuple):
    """One generation."""

    prompt: str
    """What the model was given, template included."""

    text: str
    """What it answered."""

    truth: str
    """The true answer."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SetLog:
    """One evaluation set, by row number. Checked when it is made: `DataError` names the field and the row."""

    ids: Ints
    """(N,) row numbers in the data set, ascending."""

    answer_losses: Doubles
    """(N,) mean loss of the answer."""

    paraphrased_losses: Doubles
    """(N,) of the paraphrased answer; of the answer itself for real authors and world facts."""

    wrong_losses: Doubles
    """(N, K) of the perturbed answers."""

    rouge_recall: Doubles
    """(N,) ROUGE-L recall of the generation."""

    rouge1_recall: Doubles | None = None
    """(N,)"""

    answer_tokens: Ints | None = None
    """(N,) target tokens of the answer."""

    paraphrased_tokens: Ints | None = None
    """(N,)"""

    wrong_tokens: Ints | None = None
    """(N, K)"""

    generated: tuple[Generated, ...] | None = None
    """(N,)"""

    def __post_init__(self) -> None:
        count = len(self.ids)
        if not count:
            raise DataError("There are no rows.")
        if (np.diff(self.ids) <= 0).any():
            raise DataError("Row numbers must be ascending, each once.")
        wrong = self.wrong_losses.shape[1] if self.wrong_losses.ndim == 2 else 0
        if not wrong:
            raise DataError("average_perturb_loss: every row needs at least one wrong answer.")
        for name, field in (REQUIRED | OPTIONAL).items():
            values = getattr(self, name)
            if values is None:
                continue
            shape = (count, wrong) if name in PER_WRONG_ANSWER else (count,)
            if values.shape != shape:
                raise DataError(f"{field}: an array of shape {values.shape} where {shape} is needed.")
            self._check_range(name, field, values)
        if self.generated is not None and len(self.generated) != count:
            raise DataError(f"generated_text: {len(self.generated)} texts for {count} rows.")

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int | None) -> SetLog:
        """The rows with the lowest numbers; all of them for None."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            columns[field.name] = None if column is None else column[:count]
        return SetLog(**columns)

    def _check_range(self, name: str, field: str, values: Doubles | Ints) -> None:
        low, high = -ROUNDING, np.inf
        if name.startswith("rouge"):
            high = 1 + ROUNDING
        elif name.endswith("tokens"):
            low = 1
        bad = ~((values >= low) & (values <= high) & np.isfinite(values))  # also NaN
        if bad.any():
            place = tuple(np.argwhere(bad)[0])
            raise DataError(f"{field}, row {self.ids[place[0]]}: {values[place]} is no possible value.")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TofuLog:
    """One model on the four evaluation sets."""

    retain: SetLog
    forget: SetLog
    real_authors: SetLog
    world_facts: SetLog

    def first(self, count: int | None) -> TofuLog:
        """The first rows of each set, as the published logs have them (300); all of them for None.

        Raises:
            ConfigError: the number is below 1.
        """
        if count is not None and count < 1:
            raise ConfigError(f"ds_size={count}: must be at least 1.")
        return TofuLog(**{name: getattr(self, name).first(count) for name in SETS})


def read_log(path: str | Path) -> TofuLog:
    """Read a log file. Fields that are not needed are passed over; rows may be in any order.

    Raises:
        DataError: it cannot be read, is not JSON, lacks a set or field, or holds an impossible value; names the place.
    """
    file = Path(path)
    try:
        data = json.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text, so not a log.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}).") from error
    except RecursionError as error:
        raise DataError(f"{file}: JSON that is nested too deeply to be a log.") from error
    return from_json(data, str(file))


def write_log(path: str | Path, log: TofuLog) -> None:
    """Write a log file that `read_log` and TOFU's own scripts read.

    Raises:
        OSError: it could not be written.
    """
    write_text(Path(path), json.dumps(as_json(log), allow_nan=False) + "\n")


def from_json(data: Any, place: str = "log") -> TofuLog:
    """The typed form of a log.

    Args:
        data: what the JSON file holds.
        place: begins the error messages.

    Raises:
        DataError: as `read_log`.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"{place}: not a TOFU log: an object with {', '.join(SETS.values())} is expected.")
    if missing := [key for key in SETS.values() if key not in data]:
        raise DataError(f"{place}: {missing[0]!r} is missing. Give the aggregated log, with all four evaluation sets.")
    return TofuLog(**{name: _read_set(data[key], f"{place}, {key}") for name, key in SETS.items()})


def as_json(log: TofuLog) -> dict[str, dict[str, dict[str, Any]]]:
    """The published form: set -> field -> row number as text -> value."""
    return {key: _write_set(getattr(log, name), normalised=name in NORMALISED) for name, key in SETS.items()}


def difference_of_splits(first: SetLog, second: SetLog) -> str | None:
    """Why these two cannot be compared question by question; None if they can.

    Raises:
        DataError: as many rows, but about other questions: not the same forget split, so nothing may be compared.
    """
    if len(first) != len(second):
        return f"the two logs have {len(first)} and {len(second)} forget rows"
    if first.generated is None or second.generated is None:
        return None if (first.ids == second.ids).all() else "the row numbers differ and the logs hold no texts to match"
    for row, a, b in zip(first.ids, first.generated, second.generated, strict=True):
        if a.truth.strip() != b.truth.strip():
            raise DataError(
                f"The logs are of different forget splits: row {row} is {_short(a.truth)} in one and {_short(b.truth)} "
                "in the other. Give a retained model's log on the same forget split."
            )
    return None


def other_splits(first: SetLog, second: SetLog) -> str | None:
    """Why a number over both sets of rows means nothing: they are about other questions. None if they share them all.

    Two logs may have different numbers of rows, one being cut short; then the smaller one's questions are the larger
    one's. What is not known (logs without texts) is said, too.
    """
    if first.generated is None or second.generated is None:
        same = len(first) == len(second) and bool((first.ids == second.ids).all())
        return None if same else "the logs hold no texts, so whether they are about the same questions is not known"
    fewer, more = sorted((first.generated, second.generated), key=len)
    known = {one.truth.strip() for one in more}
    shared = sum(one.truth.strip() in known for one in fewer)
    if shared == len(fewer):
        return None
    how_many = "share no question" if shared == 0 else f"share {shared} of {len(fewer)} questions"
    return f"the logs {how_many}: they are of different forget splits"


def _read_set(data: Any, place: str) -> SetLog:
    if not isinstance(data, Mapping):
        raise DataError(f"{place}: not an object of fields.")
    if missing := [field for field in REQUIRED.values() if field not in data]:
        raise DataError(f"{place}: the field {missing[0]!r} is missing.")
    keys = _row_keys(data["avg_gt_loss"], f"{place}, avg_gt_loss")
    arrays: dict[str, Any] = {}
    for name, field in (REQUIRED | OPTIONAL).items():
        if field in data:
            rows = _rows(data[field], keys, f"{place}, {field}")
            arrays[name] = _array(rows, keys, f"{place}, {field}", lists=name in PER_WRONG_ANSWER)
            if name.endswith("tokens"):
                arrays[name] = arrays[name].astype(np.int64)
    if "generated_text" in data:
        where = f"{place}, generated_text"
        rows = _rows(data["generated_text"], keys, where)
        arrays["generated"] = tuple(
            _generated(row, f"{where}, row {key}") for key, row in zip(keys.values(), rows, strict=True)
        )
    try:
        return SetLog(ids=np.array(list(keys), dtype=np.int64), **arrays)
    except DataError as error:
        raise DataError(f"{place}, {error}") from error


def _row_keys(rows: Any, place: str) -> dict[int, str]:
    """Row number -> its key, ascending."""
    if not isinstance(rows, Mapping):
        raise DataError(f"{place}: not an object from row numbers to values.")
    if not rows:
        raise DataError(f"{place}: there are no rows.")
    numbers: dict[int, str] = {}
    for key in rows:
        if not (key.isascii() and key.isdigit()) or len(key) > 15:
            raise DataError(f"{place}: {_short(key)} is not a row number.")
        if int(key) in numbers:
            raise DataError(f"{place}: row {int(key)} is there twice.")
        numbers[int(key)] = key
    return dict(sorted(numbers.items()))


def _rows(rows: Any, keys: Mapping[int, str], place: str) -> list[Any]:
    """The values in the order of the row numbers; the rows must be those of `avg_gt_loss`."""
    numbers = _row_keys(rows, place)
    if other := sorted(set(numbers) ^ set(keys)):
        where = "missing" if other[0] in keys else "not in avg_gt_loss"
        raise DataError(f"{place}: row {other[0]} is {where}.")
    return [rows[numbers[number]] for number in keys]


def _array(rows: list[Any], keys: Mapping[int, str], place: str, *, lists: bool) -> Doubles:
    """(N,) numbers, or (N, K) if every row is a list."""
    length = None
    for key, row in zip(keys.values(), rows, strict=True):
        if lists:
            if not isinstance(row, list):
                raise DataError(f"{place}, row {key}: {_short(row)} is not a list.")
            length = len(row) if length is None else length
            if len(row) != length:
                raise DataError(f"{place}, row {key}: {len(row)} values where the rows above have {length}.")
        for value in row if lists else [row]:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise DataError(f"{place}, row {key}: {_short(value)} is not a number.")
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError as error:
        raise DataError(f"{place}: a number is too large.") from error


def _generated(row: Any, place: str) -> Generated:
    if not isinstance(row, list) or len(row) != 3 or not all(isinstance(text, str) for text in row):
        raise DataError(f"{place}: not a list of three texts: prompt, generation, true answer.")
    return Generated(*row)


def _write_set(log: SetLog, *, normalised: bool) -> dict[str, dict[str, Any]]:
    columns = {field: getattr(log, name) for name, field in (REQUIRED | OPTIONAL).items()}
    columns |= {
        field: None if (counts := getattr(log, tokens)) is None else getattr(log, losses) * counts
        for field, (losses, tokens) in SUMS.items()
    }
    columns["truth_ratio"] = truth_ratio(log.paraphrased_losses, log.wrong_losses)
    if normalised:
        columns["normalized_gt_loss"] = -np.log(normalised_probability(log.answer_losses, log.wrong_losses))
    lists = {field: column.tolist() for field, column in columns.items() if column is not None}
    if log.generated is not None:
        lists["generated_text"] = [list(texts) for texts in log.generated]
    keys = [str(number) for number in log.ids]
    return {field: dict(zip(keys, column, strict=True)) for field, column in lists.items()}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
