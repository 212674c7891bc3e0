"""The verdict of a benchmark of detection."""

from __future__ import annotations

from unlearned.benchmarks.classifier.results import NONE, RowResult, counted
from unlearned.report.detection import verdict


def test_the_verdict_names_what_missed_its_target() -> None:
    good = counted("a", "found", "kernel", [False], ["x"], NONE)
    bad = counted("a", "flagged", "kernel", [True], ["x"], NONE)
    assert verdict(RowResult([good])) == "All 1 targets are met."
    assert verdict(RowResult([good, bad])) == "1 of 2 targets are met; not: a: flagged."
    assert verdict(RowResult([counted("a", "b", "kernel", [True], ["x"])])) == "Nothing that has a target was measured."
