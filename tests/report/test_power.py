"""What the test can see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from unlearned.report.power import critical_distance, power


@pytest.mark.parametrize("count", [4, 6, 40, 200])
def test_the_critical_distance_is_the_first_that_the_test_rejects(count: int) -> None:
    least = critical_distance(count)
    assert least is not None
    ramp = np.arange(count)
    steps = round(least * count)
    rejected, kept = (ks_2samp(ramp, ramp + k - 0.5) for k in (steps, steps - 1))
    assert rejected.statistic == pytest.approx(least)
    assert rejected.pvalue < 0.05 <= kept.pvalue


def test_power_is_what_the_test_itself_rejects() -> None:
    generator = np.random.default_rng(5)
    hits = [
        ks_2samp(generator.standard_normal(40), generator.standard_normal(40) + 0.5).pvalue < 0.05 for _ in range(400)
    ]
    assert power(40, 0.5) == pytest.approx(np.mean(hits), abs=4 * (0.25 / 400) ** 0.5)
    assert power(40, 0.0) < 0.05
    assert power(40, 0.5) < power(200, 0.5) < power(400, 0.5) <= 1
    assert power(3, 5.0) == 0
