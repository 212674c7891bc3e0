"""Weights are dampened by their importances, and never strengthened."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from losses_by_hand import (
    batch,
)
from torch import Tensor

from unlearned.errors import ConfigError, DataError
from unlearned.methods.registry import make_method
from unlearned.methods.ssd import dampen, importances


def test_the_worked_numbers_of_ssd() -> None:
    weight = torch.tensor([1.0, -2.0, 3.0])
    chosen = dampen(weight, torch.tensor([2.0, 1.0, 0.5]), torch.tensor([0.1, 0.5, 0.01]), 10.0, 1.0)
    assert weight.tolist() == pytest.approx([0.05, -2.0, 0.06])
    assert chosen == 2


def test_dampening_never_strengthens_a_weight() -> None:
    weight = torch.tensor([2.0])
    dampen(weight, torch.tensor([1.0]), torch.tensor([0.9]), 1.0, 5.0)
    assert weight.tolist() == [2.0]


class Tilted(torch.nn.Module):
    """Logits that are twice one vector of weights, for every token."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight)
        self.unused = torch.nn.Parameter(torch.zeros(2))

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=(2 * self.weight).expand(*input_ids.shape, -1))


def test_importances_are_mean_squares_of_single_gradients_in_float32() -> None:
    """Of a softmax, the gradient is known: the mean over targets of p - onehot, here times two."""
    start = torch.tensor([0.5, -1.0, 2.0]).bfloat16()
    model = Tilted(start)
    rows = [[0, 1], [2], [1, 1]]
    batches = [batch(([0], targets)) for targets in rows]
    weights = dict(model.named_parameters())
    found = importances(model, weights, iter(batches))
    p = (2 * start.double()).softmax(0)
    singles = [2 * (p - torch.nn.functional.one_hot(torch.tensor(r), 3).double().mean(0)) for r in rows]
    expected = torch.stack([single**2 for single in singles]).mean(0)
    assert found["weight"].dtype == torch.float32
    # Each gradient comes in the weights' bfloat16; a sum in bfloat16 would lose small ones beside large ones.
    assert torch.allclose(found["weight"].double(), expected, rtol=2e-2)
    assert not found["unused"].any()
    many = importances(model, weights, [batches[0]] * 1000)
    one = importances(model, weights, [batches[0]])
    assert torch.allclose(many["weight"], one["weight"], rtol=1e-4)
    assert all(weight.grad is None for weight in model.parameters())


def test_nothing_to_measure_on_is_an_error_and_equal_importances_change_nothing() -> None:
    model = Tilted(torch.ones(3))
    with pytest.raises(DataError):
        importances(model, dict(model.named_parameters()), [])
    weight = torch.tensor([1.0, 2.0])
    assert dampen(weight, torch.ones(2), torch.ones(2), 1.0, 1.0) == 0  # only above the ratio
    assert weight.tolist() == [1.0, 2.0]
    assert dampen(weight, torch.ones(2), torch.zeros(2), 10.0, 1.0) == 2  # of no importance for the rest
    assert weight.tolist() == [0.0, 0.0]
    for settings in ({"alpha": 0}, {"dampening": -1}):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            make_method("ssd", settings)
    assert not make_method("ssd").trains
