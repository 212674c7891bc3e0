"""The lines of the tables: an unlearner with all its seeds, and what its measures come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unlearned.metrics.estimate import exact_interval, mean
from unlearned.report.run import Model, ReportedRun

Over = Literal["seeds", "questions"]

SHARES = ("leak_rate", "over_forgotten", "degenerate")
"""Endings of measures that count questions: their interval is the exact one, which also holds at 0 and 1."""

SIGNED = ("agreement_spearman", "agreement_log_shift")
UNBOUNDED = ("agreement_log_shift", "agreement_log_distance", "forget_truth_ratio_raw")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of one line."""

    value: float
    """Mean over the seeds."""

    interval: tuple[float, float] | None
    """95 %; None where there is nothing to tell it from."""

    over: Over | None
    """What the interval lets vary: the seeds, or, with one seed, the questions."""


@dataclass(frozen=True, slots=True)
class Line:
    """An unlearner with its seeds; or the start or retained model."""

    label: str
    models: tuple[Model, ...]

    @property
    def competes(self) -> bool:
        """Whether it can be the best: an unlearner that does something."""
        return self.models[0].unlearner not in (None, "none")

    def measured(self, key: str) -> Measured | None:
        """Mean over the seeds; None where a seed lacks the measure.

        With several seeds the interval is Student's over them. With one, or where all seeds agree, it is the one over
        questions: that of `results.json`, or the exact binomial one for shares. Both are cut at the ends of the
        measure's scale.
        """
        found = [model.values.get(key) for model in self.models]
        known = [one for one in found if one is not None]
        if not known or len(known) < len(found):
            return None
        if len({one.value for one in known}) > 1:
            together = mean([one.value for one in known], key)
            return Measured(together.value, _cut(key, together.interval), "seeds")
        one = known[0]
        if key.endswith(SHARES):
            return Measured(one.value, exact_interval(round(one.value * one.count), one.count), "questions")
        return Measured(one.value, _cut(key, one.interval), None if one.interval is None else "questions")

    def count(self, key: str) -> int:
        """Questions behind a measure, of one seed."""
        return self.models[0].values[key].count


def lines(run: ReportedRun) -> list[Line]:
    """Start, retained, and the unlearners in the order of the run."""
    labels = dict.fromkeys(model.label for model in run.models)
    return [Line(label, tuple(model for model in run.models if model.label == label)) for label in labels]


def _cut(key: str, interval: tuple[float, float] | None) -> tuple[float, float] | None:
    if interval is None or key in UNBOUNDED:
        return interval
    least = -1.0 if key in SIGNED else 0.0
    return max(interval[0], least), min(interval[1], 1.0)
