from __future__ import annotations

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import ConfigError, DataError
from unlearned.metrics.truth_ratio import log_truth_ratio, truth_ratio, truth_ratio_scores

TRUE = [1.0, 2.0, 0.5]
WRONG = [[1.5, 2.0, 2.5], [1.0, 1.5, 2.0], [0.4, 0.6, 0.8]]

ROWS = [  # the first row of each set of a published log: loss of the truth, of the wrong answers, R, arithmetic R
    (
        2.1171929836273193,
        [2.3792543411254883, 2.319676399230957, 2.135737657546997, 2.998775005340576, 2.1540818214416504],
        0.7555479274,
        0.7891401116,
    ),
    (
        2.1715891361236572,
        [4.848897933959961, 4.47636079788208, 4.350394248962402, 3.6465420722961426, 4.470200061798096],
        0.1122653642,
        0.1221787774,
    ),
    (3.3081932067871094, [4.5071306228637695, 4.16441535949707, 3.6559815406799316], 0.4488876550, 0.4775088410),
    (5.3789167404174805, [6.395471572875977, 6.304135799407959, 6.772299289703369], 0.3289929972, 0.3355060586),
]


@pytest.mark.parametrize(("true", "wrong", "geometric", "arithmetic"), ROWS)
def test_published_rows(true: float, wrong: list[float], geometric: float, arithmetic: float) -> None:
    assert truth_ratio([true], [wrong]) == pytest.approx([geometric], abs=1e-10)
    assert truth_ratio([true], [wrong], mean="arithmetic") == pytest.approx([arithmetic], abs=1e-10)
    assert oracle.truth_ratio(true, wrong) == pytest.approx(geometric, abs=1e-10)
    assert oracle.truth_ratio(true, wrong, arithmetic=True) == pytest.approx(arithmetic, abs=1e-10)


def test_the_synthetic_rows() -> None:
    assert truth_ratio(TRUE, WRONG) == pytest.approx([0.3678794412, 1.6487212707, 0.9048374180], abs=1e-10)
    assert truth_ratio(TRUE, WRONG, mean="arithmetic") == pytest.approx([0.39918009, 1.78900103, 0.91694219], abs=1e-8)


@pytest.mark.parametrize(
    ("aggregator", "geometric", "arithmetic"),
    [("min", 0.6264158396, 0.6250311474), ("clip", 0.2424277136, 0.2279592425)],
)
def test_the_synthetic_scores(aggregator: str, geometric: float, arithmetic: float) -> None:
    for mean, expected in (("geometric", geometric), ("arithmetic", arithmetic)):
        scores = truth_ratio_scores(log_truth_ratio(TRUE, WRONG, mean=mean), aggregator)  # type: ignore[arg-type]
        assert scores.mean() == pytest.approx(expected, abs=1e-10)


def test_every_score_is_its_formula() -> None:
    ratios = np.array([0.2, 0.9, 1.0, 1.5, 40.0])
    logs = np.log(ratios)
    folded = np.minimum(ratios, 1 / ratios)
    assert truth_ratio_scores(logs, "min") == pytest.approx(folded)
    assert truth_ratio_scores(logs, "clip") == pytest.approx(np.maximum(0, 1 - ratios))
    assert truth_ratio_scores(logs, "prob_mean") == pytest.approx(1 / (1 + ratios))
    assert truth_ratio_scores(logs, "one_minus_min") == pytest.approx(1 - folded)


def test_scores_stay_in_their_range_where_the_ratio_itself_would_overflow() -> None:
    for aggregator in ("min", "clip", "prob_mean", "one_minus_min"):
        scores = truth_ratio_scores([-5000.0, 5000.0], aggregator)  # type: ignore[arg-type]
        assert ((scores >= 0) & (scores <= 1)).all()


def test_the_arithmetic_ratio_is_never_the_smaller_one() -> None:
    generator = np.random.default_rng(0)
    true, wrong = generator.exponential(size=50), generator.exponential(size=(50, 5))
    assert (log_truth_ratio(true, wrong, mean="arithmetic") >= log_truth_ratio(true, wrong)).all()
    assert log_truth_ratio([1.0], [[2000.0, 3000.0]], mean="arithmetic") == pytest.approx([-1999 - np.log(2)])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="geometric, arithmetic"):
        log_truth_ratio(TRUE, WRONG, mean="harmonic")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="min, clip"):
        truth_ratio_scores([0.0], "max")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="too large"):
        truth_ratio([2000.0], [[1.0]])
    with pytest.raises(DataError, match="nothing to measure"):
        log_truth_ratio([], np.zeros((0, 5)))
    with pytest.raises(DataError, match="3 and 2 items"):
        log_truth_ratio(TRUE, WRONG[:2])
