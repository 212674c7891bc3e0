"""Measurements in turn: who begins, what counts, and what is made of it."""

from __future__ import annotations

from statistics import StatisticsError

import pytest

from unlearned.benchmarks.pairs import PairedRatio, in_turn


def test_the_two_take_turns_and_the_first_pair_only_warms_up() -> None:
    calls: list[str] = []
    values = iter([100.0, 1.0, 2.0, 8.0, 9.0, 3.0])  # a warm-up of 100 / 1 first

    def side(name: str) -> float:
        calls.append(name)
        return next(values)

    found = in_turn(lambda: side("ours"), lambda: side("theirs"), 2)
    assert calls == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert (found.ours, found.theirs, found.pairs) == (2.5, 8.5, 2)
    assert found.median == pytest.approx((2 / 8 + 3 / 9) / 2)


def test_quartiles_lie_among_what_was_measured() -> None:
    found = PairedRatio.of([(1.0, 1.0), (3.0, 1.0)])
    assert (found.low, found.median, found.high) == (1.5, 2.0, 2.5)
    with pytest.raises(StatisticsError):
        PairedRatio.of([])
