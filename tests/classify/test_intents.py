"""A question resembles what forget prompts ask, or it does not."""

from __future__ import annotations

import numpy as np

from unlearned.classify.intents import Intents


def test_the_nearest_one_decides_and_the_border_belongs_to_it() -> None:
    vectors = np.array([[1, 0], [0, 0.5]], dtype=np.float32)  # the second one has to be met more nearly
    asked = np.array([[0.5, 0.75**0.5], [0, 1], [1, 0], [-1, 0]], dtype=np.float32)
    assert Intents(vectors, 0.5).hold(asked).tolist() == [True, True, True, False]
    assert Intents(vectors, 0.5625).hold(asked).tolist() == [False, False, True, False]
    assert Intents(vectors, 0.5).hold(asked[:0]).tolist() == []
