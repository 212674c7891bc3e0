"""What the benchmark of classifiers finds: counts with exact intervals, ratios, curves; written and read as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unlearned.benchmarks.step_cache import as_text
from unlearned.classify.base import Floats
from unlearned.errors import DataError
from unlearned.files import write_text
from unlearned.metrics.estimate import exact_interval

RESULTS = "results.json"
EXAMPLES, LONGEST_EXAMPLE = 5, 300
POINTS = 200
"""Points of a curve that is written down."""


@dataclass(frozen=True, slots=True)
class Target:
    """How often something may go wrong; measured only, if nothing is given."""

    most: int | None = None
    """Errors ..."""

    of: int = 100
    """... of so many; a rate, whatever the size of the set."""

    @property
    def text(self) -> str:
        if self.most is None:
            return "measured"
        if self.most == 0:
            return "none"
        return f"at most {self.most} %" if self.of == 100 else f"at most {self.most} of {self.of}"

    def met(self, errors: int, count: int) -> bool | None:
        return None if self.most is None else errors * self.of <= self.most * count


MEASURED, NONE = Target(), Target(0)


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How often something went wrong."""

    row: str
    """The row of the benchmark that it belongs to; as for `--rows`."""

    name: str
    classifier: str
    errors: int
    count: int
    rate: float
    interval: tuple[float, float]
    """Exact (Clopper-Pearson) 95 % interval of the rate, as if the prompts were independent of each other."""

    target: str
    met: bool | None
    """None: there is no target."""

    examples: tuple[str, ...] = ()
    """The first texts that went wrong, shortened."""


@dataclass(frozen=True, slots=True)
class TimeRatio:
    """Time of a decision against that of a baseline: median over interleaved pairs, and the quartiles."""

    row: str
    name: str
    classifier: str
    baseline: str
    ratio: float
    quartiles: tuple[float, float]
    milliseconds: float
    """Median of the decision."""

    baseline_milliseconds: float
    target: float
    met: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """Recall against FPR over all thresholds."""

    row: str
    name: str
    classifier: str
    threshold: tuple[float, ...]
    """Descending."""

    fpr: tuple[float, ...]
    recall: tuple[float, ...]
    chosen: tuple[float, float]
    """(FPR, recall) at the calibrated threshold, by the same scores."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row of the benchmark, of one classifier."""

    measures: list[ErrorRate] = field(default_factory=list)
    ratios: list[TimeRatio] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RowResult:
        """The inverse of `as_json`, also after JSON made lists of tuples."""

        def tupled(item: dict[str, Any]) -> dict[str, Any]:
            return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}

        return cls(
            [ErrorRate(**tupled(item)) for item in data["measures"]],
            [TimeRatio(**tupled(item)) for item in data["ratios"]],
            [Curve(**tupled(item)) for item in data["curves"]],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionResults:
    """A run, as far as it went."""

    at: str
    """Day on which it was written, in UTC."""

    settings: Mapping[str, Any]
    """What decides the numbers, as JSON has it."""

    versions: Mapping[str, str]
    row: RowResult
    """All rows that were measured, one after the other."""


def write_found(folder: Path, found: DetectionResults) -> None:
    """Write `results.json`."""
    about = {"benchmark": "classifier", "at": found.at, "settings": found.settings, "versions": found.versions}
    write_text(folder / RESULTS, as_text({**about, **found.row.as_json()}))


def read_found(folder: Path) -> DetectionResults:
    """Read what `write_found` wrote.

    Raises:
        DataError: there is none, or it is of another benchmark.
    """
    file = folder / RESULTS
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return DetectionResults(
            at=data["at"], settings=data["settings"], versions=data["versions"], row=RowResult.from_json(data)
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} holds no results of `unlearned bench classifier`. Run it again.") from error


def counted(
    row: str, name: str, classifier: str, wrong: Sequence[bool], texts: Sequence[str], target: Target = MEASURED
) -> ErrorRate:
    """Count what went wrong.

    Args:
        row: the row of the benchmark.
        name: what is counted.
        classifier: which one was measured.
        wrong: (N,) whether it went wrong with each text.
        texts: (N,) them.
        target: how often it may.

    Raises:
        DataError: there is nothing to count.
    """
    if not len(wrong):
        raise DataError(f"{name}: there are no prompts of this kind in the data.")
    errors, count = sum(map(bool, wrong)), len(wrong)
    bad = [text[:LONGEST_EXAMPLE] for text, is_wrong in zip(texts, wrong, strict=True) if is_wrong]
    return ErrorRate(
        row,
        name,
        classifier,
        errors,
        count,
        errors / count,
        exact_interval(errors, count),
        target.text,
        target.met(errors, count),
        tuple(bad[:EXAMPLES]),
    )


def curve(row: str, name: str, classifier: str, forget: Floats, others: Floats, threshold: float) -> Curve:
    """Recall against FPR.

    Args:
        row: the row of the benchmark.
        name: of the curve.
        classifier: which one was measured.
        forget: (F,) highest p(forget | window) of prompts in scope.
        others: (N,) the same for prompts that are not.
        threshold: the calibrated one.
    """
    cuts = np.unique(np.concatenate([forget, others]).astype(np.float64))[::-1]
    if len(cuts) > POINTS:  # most of them where few others are flagged
        ranks = np.searchsorted(np.sort(-others.astype(np.float64)), -cuts, side="right")
        steps = np.unique(np.concatenate([[0], np.geomspace(1, max(2, len(others)), POINTS // 2)]).astype(int))
        chosen = [int(np.searchsorted(ranks, step, side="right")) - 1 for step in steps]
        chosen += list(np.linspace(0, len(cuts) - 1, POINTS // 2).astype(int))
        cuts = cuts[sorted({index for index in chosen if index >= 0})]
    return Curve(
        row,
        name,
        classifier,
        tuple(cuts.tolist()),
        tuple(float((others >= cut).mean()) for cut in cuts),
        tuple(float((forget >= cut).mean()) for cut in cuts),
        (float((others >= threshold).mean()), float((forget >= threshold).mean())),
    )


LIMITS = (
    "Counts are of these data and this seed; the intervals hold as if prompts were independent, which wordings of one "
    "question are not.",
    "Disguises and carriers are those that the benchmark knows. Somebody who looks for another one may find it.",
    "A ratio of times is of this machine and its load; milliseconds are of the same.",
)
