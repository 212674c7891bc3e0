"""Whoever draws numbers of his own leaves everybody else's as they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from unlearned.seeding import own_randomness


def drawn() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(1))]


def test_the_same_seed_draws_the_same_and_nothing_is_moved() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = drawn()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    found = []
    for seed in (5, 5, 6):
        with own_randomness(seed):
            found.append(float(torch.rand(1)))
            random.seed(seed)
            np.random.seed(seed)
            drawn()
    assert found[0] == found[1] != found[2]
    assert drawn() == expected


def test_an_error_in_the_block_puts_them_back_too() -> None:
    before = torch.random.get_rng_state()

    def fails() -> None:
        with own_randomness(3):
            torch.rand(5)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert torch.equal(torch.random.get_rng_state(), before)
