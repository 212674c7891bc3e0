from __future__ import annotations

import math

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import DataError
from unlearned.metrics.probability import mean_loss, mean_losses, normalised_probability, probability


def test_mean_losses_are_those_of_the_oracle_for_answers_of_any_length() -> None:
    generator = np.random.default_rng(0)
    answers = [-generator.exponential(size=length) for length in (1, 5, 30)]
    assert mean_losses(answers) == pytest.approx([oracle.mean_loss(list(row)) for row in answers])


def test_probability_is_the_geometric_mean_of_the_token_probabilities() -> None:
    loss = mean_loss(np.log([0.5, 0.25, 0.125]))
    assert probability([loss]) == pytest.approx([(0.5 * 0.25 * 0.125) ** (1 / 3)])


def test_half_precision_log_probabilities_are_summed_in_full() -> None:
    tokens = np.full(4096, -0.1, dtype=np.float16)
    assert mean_loss(tokens) == pytest.approx(float(np.float16(0.1)), rel=1e-12)


@pytest.mark.parametrize(
    ("answer", "wrong", "plain", "normalised"),
    [
        (3.3081932067871094, [4.5071306228637695, 4.16441535949707, 3.6559815406799316], 0.0365822106, 0.4110952093),
        (5.3789167404174805, [6.395471572875977, 6.304135799407959, 6.772299289703369], 0.0046128161, 0.4983757496),
    ],
)
def test_normalised_probability_of_published_rows(
    answer: float, wrong: list[float], plain: float, normalised: float
) -> None:
    assert probability([answer]) == pytest.approx([plain], abs=1e-10)
    assert normalised_probability([answer], [wrong]) == pytest.approx([normalised], abs=1e-10)
    assert normalised_probability([answer], [wrong])[0] == pytest.approx(oracle.normalised_probability(answer, wrong))


def test_normalised_probability_does_not_underflow() -> None:
    assert normalised_probability([2000.0, 5000.0], [[2000.0], [10.0]]) == pytest.approx([0.5, 0.0])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to measure"):
        mean_loss([])
    with pytest.raises(DataError, match="above 0"):
        mean_loss([0.5, -1.0])
    with pytest.raises(DataError, match="not finite"):
        mean_losses([[-1.0], [-math.inf]])
    with pytest.raises(DataError, match="2 and 1 items"):
        normalised_probability([1.0, 2.0], [[1.0]])
    with pytest.raises(DataError, match="rectangular"):
        normalised_probability([1.0, 2.0], [[1.0], [1.0, 2.0]])
