"""The decision threshold, against brute force and known intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cases import every
from oracles.calibration import errors, fewest_errors, lowest_gap, noise, prediction_set, quantile
from unlearned.errors import FitError
from unlearned.learn.calibration import (
    METHODS,
    calibrate,
    conformal_quantile,
    conformal_threshold,
    texts_sha256,
)
from unlearned.metrics.estimate import exact_interval


def _floats(*values: float) -> Any:
    return np.array(values, dtype=np.float32)


def _calibrate(forget: Any, negatives: Any, general: Any = (), **more: Any) -> Any:
    return calibrate(forget, negatives, _floats(*general), data_sha256="0" * 64, **more)


def _random(seed: int) -> tuple[Any, Any, Any]:
    """Scores of forget, close and general prompts; with many ties, or none of the close or general ones, sometimes."""
    rng = np.random.default_rng(seed)
    forget = rng.beta(4, 2, size=rng.integers(2, 30)).astype(np.float32)
    close = rng.beta(2, 4, size=rng.integers(1, 50)).astype(np.float32)
    general = rng.beta(1, 5, size=rng.integers(1, 50)).astype(np.float32)
    if seed % 2:
        forget, close = forget.round(1), close.round(1)
    if seed % 5 == 3:
        close = close[:0]
    if seed % 5 == 4:
        general = general[:0]
    return forget, close, general


# Fewest errors


@every("least_threshold", [0.0, 0.25, 0.5, 0.8])
@every("seed", range(40))
def test_the_threshold_is_nearest_to_a_half_among_those_with_the_fewest_errors(
    seed: int, least_threshold: float
) -> None:
    forget, close, general = _random(seed)
    for max_fpr in (1.0, 0.1, 0.0):
        found = _calibrate(forget, close, general, max_fpr=max_fpr, least_threshold=least_threshold)
        expected = fewest_errors(forget.tolist(), close.tolist(), general.tolist(), max_fpr, least_threshold)
        assert found.threshold == pytest.approx(expected, abs=1e-12)
        assert least_threshold < found.threshold < 1
        if len(general):
            below_one = (general >= 1).mean()  # no threshold passes those
            assert (general >= found.threshold).mean() <= max(max_fpr, below_one)
        if max_fpr == 1.0:
            compared = (close if len(close) else general).tolist()
            tried = sorted({1.0, *(score for score in [*forget.tolist(), *compared] if score > least_threshold)})
            best = min(tried, key=lambda t: errors(forget.tolist(), compared, t))
            allowed = errors(forget.tolist(), compared, best) + noise(forget.tolist(), compared, best)
            assert errors(forget.tolist(), compared, found.threshold) <= allowed + 1e-9


def test_scores_that_a_half_separates_are_cut_there_however_wide_the_gap() -> None:
    for forget, negatives in [((0.9, 0.8, 0.95), (0.1, 0.2, 0.3)), ((0.51, 0.99), (0.49, 0.0))]:
        found = _calibrate(_floats(*forget), _floats(*negatives), least_threshold=0.25)
        assert found.threshold == 0.5
        assert (found.missed, found.flagged) == (0, 0)
        assert (found.forget_count, found.negative_count) == (len(forget), len(negatives))
        assert found.method == "min FPR+FNR, FPR <= 0.005 on general prompts"


@pytest.mark.parametrize(
    ("forget", "negatives", "least", "expected"),
    [
        ((0.9, 0.8), (0.1, 0.7), 0.25, 0.75),  # the gap 0.7..0.8, all of it above a half
        ((0.4, 0.45), (0.1, 0.3), 0.25, 0.35),  # ... and below
        ((0.4, 0.45), (0.1, 0.2), 0.25, 0.325),  # from the least threshold on
        ((0.3, 0.4), (0.1, 0.2), 0.5, 0.75),  # nothing is above it: the middle of what is left
        ((0.9, 0.7), (0.1, 0.2), 0.5, 0.6),
    ],
)
def test_the_threshold_is_in_the_middle_of_its_gap(
    forget: tuple[float, ...], negatives: tuple[float, ...], least: float, expected: float
) -> None:
    found = _calibrate(_floats(*forget), _floats(*negatives), least_threshold=least)
    assert found.threshold == pytest.approx(expected, abs=1e-6)


def test_a_difference_of_less_than_half_a_forget_example_is_no_evidence() -> None:
    # Cutting at 1/2 flags one of ten close prompts, above 0.55 none; half of one of four forget examples is more.
    forget, close = _floats(0.8, 0.9, 0.95, 0.7), [0.1] * 9
    assert _calibrate(forget, _floats(*close, 0.55), least_threshold=0.25).threshold == 0.5
    assert _calibrate(forget, _floats(*close, 0.55)).threshold == pytest.approx(0.525)  # no gap holds 1/2 itself
    assert _calibrate(forget, _floats(0.1, 0.1, 0.55), least_threshold=0.25).threshold == pytest.approx(0.625)


@pytest.mark.parametrize(("below", "missed", "expected"), [(2, 8, 0.5), (8, 8, 0.325), (2, 0, 0.325)])
def test_a_difference_within_one_standard_error_is_no_evidence(below: int, missed: int, expected: float) -> None:
    """With 8 of 200 missed in any case, the standard error is 2.8 examples: two more below 1/2 do not move it."""
    forget = _floats(*[0.9] * (200 - missed - below), *[0.4] * below, *[0.1] * missed)
    found = _calibrate(forget, _floats(*[0.1] * 100), least_threshold=0.25)
    assert found.threshold == pytest.approx(expected, abs=1e-6)


def test_general_prompts_have_a_bound_of_their_own_that_comes_before_the_sum_of_errors() -> None:
    forget, close, general = _floats(0.6, 0.65, 0.7, 0.9), _floats(0.1), [0.1] * 98 + [0.75, 0.76]
    loose = _calibrate(forget, close, general, max_fpr=0.02)
    assert (loose.missed, loose.flagged, loose.negative_count) == (0, 2, 101)
    bounded = _calibrate(forget, close, general, max_fpr=0.01)
    assert (bounded.missed, bounded.flagged) == (3, 1)
    none = _calibrate(forget, close, general, max_fpr=0.0)
    assert (none.missed, none.flagged) == (3, 0)
    assert "FPR <= 0.01" in bounded.method


def test_a_bound_that_no_threshold_keeps_is_missed_by_as_little_as_possible() -> None:
    found = _calibrate(_floats(0.9, 0.8, 1.0), _floats(0.1), [1.0, 1.0, 0.3, 0.97], max_fpr=0.1)
    assert found.flagged == 2
    assert 0.97 < found.threshold < 1


def test_without_close_prompts_the_general_ones_stand_in() -> None:
    found = _calibrate(_floats(0.9, 0.8), _floats(), [0.1, 0.6])
    assert found.threshold == pytest.approx(0.7)


# A bounded rate of false alarms


@every("least_threshold", [0.0, 0.25, 0.5])
@every("seed", range(30))
def test_the_fpr_method_flags_what_the_lowest_threshold_within_the_bound_flags(
    seed: int, least_threshold: float
) -> None:
    forget, close, general = _random(seed)
    sides = close.tolist(), general.tolist()
    for max_fpr in (0.0, 0.05, 0.3, 1.0):
        found = _calibrate(forget, close, general, method="fpr", max_fpr=max_fpr, least_threshold=least_threshold)
        low, high = lowest_gap(*sides, max_fpr, least_threshold)
        assert low <= found.threshold <= high
        flagged = [sum(score >= found.threshold for score in side) for side in sides]
        assert found.flagged == sum(flagged)
        for count, side in zip(flagged, sides, strict=True):
            assert count <= max(max_fpr * len(side), sum(score >= 1 for score in side))
        assert found.method == f"FPR <= {max_fpr:g}"


def test_the_fpr_method_bounds_close_and_general_prompts_apart_and_asks_for_no_forget_score() -> None:
    close, general = _floats(0.9, 0.1), [0.1] * 98
    assert _calibrate(_floats(0.2, 0.95), close, general, method="fpr", max_fpr=0.5).flagged == 1
    assert _calibrate(_floats(0.2, 0.95), close, general, method="fpr", max_fpr=0.1).flagged == 0
    general = [0.9, *[0.1] * 98]
    assert _calibrate(_floats(0.2, 0.95), close, general, method="fpr", max_fpr=0.5).flagged == 2
    assert _calibrate(_floats(0.2, 0.95), _floats(0.1, 0.1), general, method="fpr", max_fpr=0.01).flagged == 0
    one, other = (_calibrate(_floats(*forget), close, general, method="fpr") for forget in ((0.2, 0.3), (0.9, 0.99)))
    assert one.threshold == other.threshold


# Conformal


@pytest.mark.parametrize(("alpha", "expected"), [(0.2, 0.5), (0.1, 0.9), (0.05, math.inf)])
def test_the_conformal_quantile_is_the_specifications(alpha: float, expected: float) -> None:
    scores = np.array([0.02, 0.05, 0.07, 0.10, 0.12, 0.15, 0.2, 0.3, 0.5, 0.9])
    assert conformal_quantile(scores, alpha) == expected
    assert conformal_quantile(scores[::-1], alpha) == expected
    assert quantile(scores.tolist(), alpha) == expected


def test_the_rank_is_not_raised_by_rounding_errors() -> None:
    scores = np.arange(1.0, 10.0)  # (9 + 1) * (1 - 0.1) = 9.000000000000002 without care
    assert conformal_quantile(scores, 0.1) == 9.0
    assert conformal_quantile(np.arange(1.0, 20.0), 0.05) == 19.0
    assert conformal_quantile(np.arange(1.0, 100.0), 0.01) == 99.0


@every("seed", range(40))
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.3, 0.5, 0.9])
def test_the_conformal_method_flags_whatever_has_forget_in_its_prediction_set(seed: int, alpha: float) -> None:
    forget, close, general = _random(seed)
    negatives = np.concatenate([close, general])
    found = _calibrate(forget, close, general, method="conformal", alpha=alpha)
    # 1 - p of the true label: of a forget example 1 - p(forget), of another one p(forget).
    limit = quantile([*(1.0 - forget.astype(np.float64)), *negatives.astype(np.float64)], alpha)
    fresh = np.random.default_rng(seed).random(50).astype(np.float32)
    for score in [*forget, *negatives, *fresh, np.float32(0), np.float32(1)]:
        in_scope = float(score) >= found.threshold - 1e-15  # 1 - (1 - p) is not always p
        assert in_scope == ("forget" in prediction_set(float(score), limit)), score
        assert score >= found.threshold or not in_scope  # nor does detection, in float32, let any of them pass
    assert found.method == f"split conformal, alpha {alpha:g}"
    assert found.missed <= sum("forget" not in prediction_set(float(p), limit) for p in forget)


def test_with_too_few_examples_for_the_level_everything_is_flagged() -> None:
    found = _calibrate(_floats(0.9, 0.8), _floats(0.1, 0.0), method="conformal", alpha=0.05)
    assert found.threshold == 0.0
    assert (found.missed, found.flagged) == (0, 2)


def test_the_conformal_method_heeds_no_least_threshold() -> None:
    forget, negatives = _floats(*[0.2] * 10), _floats(*[0.1] * 10)
    found = _calibrate(forget, negatives, method="conformal", alpha=0.1, least_threshold=0.5)
    assert found.threshold == pytest.approx(0.2)
    assert (found.missed, found.flagged) == (0, 0)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_the_prediction_set_holds_the_true_label_as_often_as_promised(alpha: float) -> None:
    rng = np.random.default_rng(int(alpha * 100))
    covered, flagged, asked, forget_asked = 0, 0, 0, 0
    for _ in range(400):
        is_forget = rng.random(60) < 0.4
        p = np.where(is_forget, rng.beta(3, 2, 60), rng.beta(2, 3, 60)).astype(np.float32)  # they overlap a lot
        known, new = slice(0, 40), slice(40, 60)
        threshold = conformal_threshold(p[known][is_forget[known]], p[known][~is_forget[known]], alpha)
        limit = 1.0 - threshold
        sets = [prediction_set(float(score), limit) for score in p[new]]
        covered += sum(("forget" if own else "other") in s for own, s in zip(is_forget[new], sets, strict=True))
        flagged += int(((p[new] >= threshold) & is_forget[new]).sum())
        forget_asked += int(is_forget[new].sum())
        asked += 20
    spread = 4 * math.sqrt(alpha * (1 - alpha) / 400)  # twenty that share a threshold count as one
    assert covered / asked >= 1 - alpha - spread
    assert covered / asked <= 1 - alpha + 1 / 41 + spread
    assert flagged / forget_asked > 0.5


# One forget example, and the record


@pytest.mark.parametrize(("least", "expected"), [(0.25, 0.5), (0.5, 0.5), (0.7, 0.7)])
@pytest.mark.parametrize("method", ["errors", "fpr"])
def test_one_forget_example_gets_the_default_and_says_so(method: str, least: float, expected: float) -> None:
    found = _calibrate(_floats(0.0), _floats(0.1, 0.8), method=method, least_threshold=least)
    assert found.threshold == expected
    assert found.method == "default (one forget example)"
    assert (found.missed, found.flagged) == (1, 1)


@pytest.mark.parametrize("method", METHODS)
def test_the_record_counts_errors_by_the_rule_that_detection_uses(method: str) -> None:
    forget, close, general = _floats(0.2, 0.8, 0.9, 0.95), _floats(0.1, 0.15, 0.3), [0.85, 0.05]
    found = _calibrate(forget, close, general, method=method, alpha=0.3)
    negatives = [*close, *_floats(*general)]
    assert found.missed == sum(score < found.threshold for score in forget)
    assert found.flagged == sum(score >= found.threshold for score in negatives)
    assert (found.forget_count, found.negative_count) == (4, 5)
    assert found.fnr_interval == exact_interval(found.missed, 4)
    assert found.fpr_interval == exact_interval(found.flagged, 5)
    assert found.data_sha256 == "0" * 64


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
    for method in ("errors", "fpr"):
        assert 0 < _calibrate(forget, negatives, method=method).threshold < 1
    assert 0 <= _calibrate(forget, negatives, method="conformal").threshold <= 1


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
