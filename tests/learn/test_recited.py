"""A model that recites is no judge of fluency."""

from __future__ import annotations

import numpy as np
import pytest

from unlearned.learn.fluency import recites


@pytest.mark.parametrize(
    ("costs", "found"),
    [
        ([0.01, 0.05, 0.02], True),
        ([0.01, 0.05, 2.0], True),  # one answer that it does not know
        ([0.5, 0.6, 0.4], False),  # a model's own greedy answers
        ([0.01, 0.9, 1.5], False),
    ],
)
def test_answers_that_cost_next_to_nothing_are_recited(costs: list[float], found: bool) -> None:
    assert recites([np.full(20, -cost) for cost in costs]) is found


def test_short_answers_such_as_letters_say_nothing() -> None:
    assert not recites([np.full(2, -0.001)] * 5)
    assert not recites([])
