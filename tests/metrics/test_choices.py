from __future__ import annotations

import numpy as np
import pytest

from unlearned.errors import DataError
from unlearned.metrics.choices import (
    answer_probability,
    chance,
    correct,
    letter_histogram,
    majority_rate,
    per_length,
    predictions,
)

SCORES = [[-3.0, -1.0, -2.0, -9.0], [-0.5, -0.6], [0.0, 4.0, 4.0]]


def test_the_best_option_is_predicted_and_the_first_one_of_equals() -> None:
    assert predictions(SCORES).tolist() == [1, 0, 1]
    assert correct(SCORES, [1, 1, 1]).tolist() == [1, 0, 1]


def test_sums_tokens_and_bytes_give_different_answers() -> None:
    sums = [[-6.0, -4.0, -7.5]]  # the second by sums, the first per token, the third per byte
    assert predictions(sums).tolist() == [1]
    assert predictions(per_length(sums, [[6, 2, 5]])).tolist() == [0]
    assert predictions(per_length(sums, [[10, 8, 30]])).tolist() == [2]


def test_the_probability_of_the_first_option_among_all() -> None:
    found = answer_probability([np.log([0.2, 0.3]), [-2000.0, -2000.0, -2001.0]], [0, 0])
    assert found == pytest.approx([0.4, 1 / (2 + np.exp(-1))])


def test_what_a_model_scores_that_knows_nothing_or_says_one_letter() -> None:
    assert chance([4, 4, 2]) == pytest.approx(1 / 3)
    assert majority_rate([3, 3, 0, 1, 3]) == 0.6
    always_d = [[0.0, 0.0, 0.0, 1.0]] * 5
    assert correct(always_d, [3, 3, 0, 1, 3]).mean() == majority_rate([3, 3, 0, 1, 3])
    assert letter_histogram(predictions(always_d), 4) == {"A": 0, "B": 0, "C": 0, "D": 5}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match="no items"):
        predictions([])
    with pytest.raises(DataError, match="Item 0 has one option"):
        predictions([[1.0]])
    with pytest.raises(DataError, match="item 1: 1 of 2 values are not finite"):
        predictions([[1.0, 2.0], [1.0, float("nan")]])
    with pytest.raises(DataError, match="item 1 is option 2"):
        correct(SCORES, [0, 2, 0])
    with pytest.raises(DataError, match="option -1"):
        answer_probability(SCORES, [0, 0, -1])
    with pytest.raises(DataError, match="3 items and 2 answers"):
        correct(SCORES, [0, 1])
    with pytest.raises(DataError, match="not of the same options"):
        per_length(SCORES, [[1, 1], [1, 1], [1, 1, 1]])
    with pytest.raises(DataError, match="no length"):
        per_length([[-1.0, -2.0]], [[0, 1]])
    with pytest.raises(DataError, match="nothing to measure"):
        chance([])
    with pytest.raises(DataError, match="no answers"):
        majority_rate([])
    with pytest.raises(DataError, match="no predictions"):
        letter_histogram([], 4)
    with pytest.raises(DataError, match="Option 4 was predicted"):
        letter_histogram([0, 4], 4)
