"""The decision threshold, against brute force and known intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracles.calibration import best_gap, errors
from unlearned.errors import FitError
from unlearned.learn.calibration import LEAST_THRESHOLD, calibrate, exact_interval, texts_sha256


def _floats(*values: float) -> Any:
    return np.array(values, dtype=np.float32)


def _calibrate(forget: Any, negatives: Any) -> Any:
    return calibrate(forget, negatives, _floats(), data_sha256="0" * 64)


@pytest.mark.parametrize("seed", range(40))
def test_the_threshold_is_in_the_widest_gap_with_the_fewest_errors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forget = rng.beta(4, 2, size=rng.integers(2, 30)).astype(np.float32)
    negatives = rng.beta(2, 4, size=rng.integers(1, 50)).astype(np.float32)
    if seed % 2:
        forget, negatives = forget.round(1), negatives.round(1)  # many ties
    general = rng.beta(1, 5, size=rng.integers(1, 50)).astype(np.float32)
    for max_fpr in (1.0, 0.1, 0.0):
        found = calibrate(forget, negatives, general, data_sha256="0" * 64, max_fpr=max_fpr)
        low, high = best_gap(forget.tolist(), negatives.tolist(), general.tolist(), max_fpr, LEAST_THRESHOLD)
        assert found.threshold == pytest.approx((low + high) / 2)
        assert (general >= found.threshold).mean() <= max_fpr
        if max_fpr == 1.0:
            tried = np.linspace(LEAST_THRESHOLD + 1e-6, 1, 2000)
            least = min(errors(forget.tolist(), negatives.tolist(), t) for t in tried)
            assert errors(forget.tolist(), negatives.tolist(), found.threshold) <= least + 1e-9


def test_separable_scores_are_cut_in_the_middle_of_the_gap() -> None:
    found = _calibrate(_floats(0.9, 0.8, 0.95), _floats(0.1, 0.2, 0.3))
    assert found.threshold == pytest.approx(0.65)
    assert (found.missed, found.flagged) == (0, 0)
    assert (found.forget_count, found.negative_count) == (3, 3)
    assert found.method == "min FPR+FNR, FPR <= 0.005 on general prompts, leave-one-out"


def test_of_equally_good_cuts_the_widest_gap_is_taken() -> None:
    # Cutting below 0.6 flags one of two, cutting above 0.7 misses one of two; the gap 0.7..0.95 is the widest.
    assert _calibrate(_floats(0.6, 0.95), _floats(0.2, 0.7)).threshold == pytest.approx((0.7 + 0.95) / 2)


def test_general_prompts_have_a_bound_of_their_own_that_comes_before_the_sum_of_errors() -> None:
    forget, close, general = _floats(0.6, 0.65, 0.7, 0.9), _floats(0.1), _floats(*[0.1] * 98, 0.75, 0.76)
    loose = calibrate(forget, close, general, data_sha256="0" * 64, max_fpr=0.02)
    assert (loose.missed, loose.flagged, loose.negative_count) == (0, 2, 101)
    bounded = calibrate(forget, close, general, data_sha256="0" * 64, max_fpr=0.01)
    assert (bounded.missed, bounded.flagged) == (3, 0)  # the gap 0.76..0.9 is wider than 0.75..0.76
    assert "FPR <= 0.01" in bounded.method


def test_without_close_prompts_the_general_ones_stand_in() -> None:
    found = calibrate(_floats(0.9, 0.8), _floats(), _floats(0.1, 0.6), data_sha256="0" * 64)
    assert found.threshold == pytest.approx(0.7)


def test_the_record_counts_errors_by_the_rule_that_detection_uses() -> None:
    forget, negatives = _floats(0.2, 0.8, 0.9, 0.95), _floats(0.1, 0.15, 0.3, 0.85, 0.05)
    found = _calibrate(forget, negatives)
    assert found.missed == sum(score < found.threshold for score in forget)
    assert found.flagged == sum(score >= found.threshold for score in negatives)
    assert found.fnr_interval == exact_interval(found.missed, 4)
    assert found.fpr_interval == exact_interval(found.flagged, 5)


@pytest.mark.parametrize(
    ("forget", "negatives"),
    [
        (_floats(1, 1), _floats(0, 0)),
        (_floats(1, 1), _floats(1, 1)),
        (_floats(0, 0), _floats(0, 0)),
        (_floats(0, 0), _floats(1, 1)),
        (_floats(0.5, 0.5), _floats(0.5)),
        (_floats(1e-6, 2e-6), _floats(0, 0)),
    ],
)
def test_saturated_or_useless_scores_still_give_a_threshold_strictly_between_0_and_1(
    forget: Any, negatives: Any
) -> None:
    assert 0 < _calibrate(forget, negatives).threshold < 1


def test_one_forget_example_gets_the_default_and_says_so() -> None:
    found = _calibrate(_floats(1e-5), _floats(0.1, 0.7))
    assert found.threshold == LEAST_THRESHOLD
    assert "one forget example" in found.method
    assert (found.missed, found.flagged) == (1, 1)


@pytest.mark.parametrize(("forget", "negatives"), [((), (0.1,)), ((0.9,), ()), ((), ())])
def test_a_missing_side_is_refused_with_the_counts(forget: tuple[float, ...], negatives: tuple[float, ...]) -> None:
    with pytest.raises(FitError, match=f"{len(forget)} forget and {len(negatives)} other"):
        _calibrate(_floats(*forget), _floats(*negatives))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(FitError, match="not finite"):
        _calibrate(_floats(0.9, bad), _floats(0.1))
    with pytest.raises(FitError, match="not finite"):
        _calibrate(_floats(0.9, 0.8), _floats(0.1, bad))


@pytest.mark.parametrize(
    ("wrong", "count", "low", "high"),
    [
        # Textbook values of the exact binomial interval at 95 %.
        (0, 10, 0.0, 0.308497),
        (10, 10, 0.691503, 1.0),
        (1, 10, 0.002529, 0.445016),
        (5, 10, 0.187086, 0.812914),
        (8, 100, 0.035172, 0.151558),
        (0, 1, 0.0, 0.975),
    ],
)
def test_the_interval_is_clopper_pearson(wrong: int, count: int, low: float, high: float) -> None:
    assert exact_interval(wrong, count) == pytest.approx((low, high), abs=2e-6)


def test_the_interval_of_no_errors_in_n_is_the_closed_form() -> None:
    for count in (1, 7, 300):
        assert exact_interval(0, count)[1] == pytest.approx(1 - 0.025 ** (1 / count))


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    low, high = exact_interval(3, 20, confidence=0.99)
    assert low < exact_interval(3, 20)[0]
    assert high > exact_interval(3, 20)[1]


def test_the_data_hash_depends_on_the_texts_and_not_on_their_order() -> None:
    assert texts_sha256(["a", "b"]) == texts_sha256(["b", "a"])
    assert len({texts_sha256(t) for t in (["a"], ["a", "b"], ["ab"], ["a", "a"], [])}) == 5
    assert len(texts_sha256(["a"])) == 64
