"""What many scopes cost, with few of them: that everything is measured, and that the scopes find their own."""

from __future__ import annotations

import pytest

from bench.scopes.run import measure_scopes

pytestmark = pytest.mark.slow


def test_every_count_is_measured_against_one_scope() -> None:
    found = measure_scopes((1, 6), distinct=2, repeats=2)
    assert [cost.scopes for cost in found.costs] == [1, 6]
    for cost in found.costs:
        assert cost.ready_seconds > 0
        for ratio in (cost.others, cost.own, cost.turn):
            assert ratio.pairs == 2
            assert 0 < ratio.low <= ratio.median <= ratio.high
    assert found.load_ms > 0
    assert found.peak_memory_mb > 100
