"""Which coordinates are changed, and that adding nothing changes no bit."""

from __future__ import annotations

import pytest
import torch

from unlearned.corrupt.coordinates import add, check_vectors, first, highest, lowest
from unlearned.errors import CorruptionError

VALUES = torch.tensor([[3.0, 1.0, 3.0, -2.0], [0.0, 0.0, 0.0, 0.0]])


def test_coordinates_are_the_first_the_highest_or_the_lowest_and_of_equals_the_first() -> None:
    assert first(VALUES, 2).tolist() == [[0, 1], [0, 1]]
    assert highest(VALUES, 3).tolist() == [[0, 2, 1], [0, 1, 2]]
    assert lowest(VALUES, 3).tolist() == [[3, 1, 0], [0, 1, 2]]
    for choose in (first, highest, lowest):
        assert choose(VALUES, 0).shape == (2, 0)
        assert sorted(choose(VALUES, 4)[0].tolist()) == [0, 1, 2, 3]
        assert choose(VALUES[:0], 2).shape == (0, 2)
        for wrong in (-1, 5):
            with pytest.raises(CorruptionError):
                choose(VALUES, wrong)
    for shape in ((4,), (1, 2, 4)):
        with pytest.raises(CorruptionError):
            check_vectors(torch.zeros(shape))


def test_only_the_chosen_change_and_what_was_given_stays() -> None:
    before = VALUES.clone()
    found = add(VALUES, torch.tensor([[1], [3]]), torch.tensor([[0.5], [-1.0]], dtype=torch.float64))
    assert found.tolist() == [[3.0, 1.5, 3.0, -2.0], [0.0, 0.0, 0.0, -1.0]]
    assert torch.equal(VALUES, before)


def test_adding_zero_keeps_every_bit_and_sums_are_rounded_once() -> None:
    vectors = torch.tensor([[-0.0, 1e-8, 1.0]]).bfloat16()
    chosen = torch.tensor([[0, 1, 2]])
    same = add(vectors, chosen, torch.zeros(1, 3, dtype=torch.float64))
    assert same.view(torch.int16).tolist() == vectors.view(torch.int16).tolist()
    small = add(torch.tensor([[1.0]]).bfloat16(), chosen[:, :1], torch.tensor([[2.0**-8 + 2.0**-20]]).double())
    assert float(small) == 1.0 + 2.0**-7  # 1 + half a step, and a little more


def test_what_would_overflow_is_refused() -> None:
    for start, change in ((60000.0, 10000.0), (60000.0, -130000.0)):
        with pytest.raises(CorruptionError):
            add(torch.tensor([[start]]).half(), torch.tensor([[0]]), torch.tensor([[change]]).double())
