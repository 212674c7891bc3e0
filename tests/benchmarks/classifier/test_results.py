"""Counts, targets and curves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from unlearned.benchmarks.classifier.results import NONE, RowResult, Target, counted, curve
from unlearned.errors import DataError
from unlearned.report.detection import as_markdown
from unlearned.report.detection_plot import curves_plot


def test_counts_have_exact_intervals_and_targets() -> None:
    none = counted("row", "name", "kernel", [False] * 40, ["x"] * 40, NONE)
    assert (none.errors, none.count, none.rate, none.met, none.examples) == (0, 40, 0.0, True, ())
    assert none.interval == pytest.approx((0, 1 - 0.025 ** (1 / 40)))  # closed form for no error
    one = counted("row", "name", "kernel", [False, True], ["a", "b" * 1000], Target(1, 400))
    assert (one.errors, one.rate, one.met, one.target) == (1, 0.5, False, "at most 1 of 400")
    assert one.examples == ("b" * 300,)
    assert counted("row", "name", "kernel", [True], ["a"]).met is None
    with pytest.raises(DataError, match="no prompts of this kind"):
        counted("row", "name", "kernel", [], [])


def test_targets_are_rates_that_may_be_reached_exactly() -> None:
    assert Target(1, 400).met(1, 400)
    assert not Target(1, 400).met(1, 399)
    assert Target(2).met(2, 100)
    assert Target(2).text == "at most 2 %"
    assert Target().met(5, 5) is None


def test_a_curve_ends_at_everything_and_has_the_chosen_point() -> None:
    forget, others = np.array([0.9, 0.8, 0.3], np.float32), np.array([0.85, 0.2, 0.1, 0.1], np.float32)
    found = curve("mmlu", "a against b, without header", "kernel", forget, others, 0.5)
    assert found.chosen == pytest.approx((1 / 4, 2 / 3))
    assert (found.fpr[0], found.recall[0]) == pytest.approx((0, 1 / 3))
    assert (found.fpr[-1], found.recall[-1]) == (1, 1)
    assert list(found.threshold) == sorted(found.threshold, reverse=True)


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    draw = np.random.default_rng(0)
    forget, others = draw.beta(5, 2, 2000).astype(np.float32), draw.beta(2, 5, 9000).astype(np.float32)
    found = curve("mmlu", "a against b, without header", "kernel", forget, others, 0.5)
    assert len(found.fpr) <= 210
    assert found.fpr[0] == 0
    assert (found.fpr[-1], found.recall[-1]) == (1, 1)
    assert sum(0 < fpr < 0.01 for fpr in found.fpr) >= 10
    assert "<svg" in curves_plot([found])


def test_rows_survive_json() -> None:
    row = RowResult([counted("row", "name", "kernel", [True, False], ["a", "b"])])
    assert RowResult.from_json(json.loads(json.dumps(row.as_json()))) == row
    assert "| row | name | kernel | 1/2 | 50.00 % | 1.26 to 98.74 % | measured |  |" in as_markdown(row)
