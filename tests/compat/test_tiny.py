"""Tiny models of every type are the same every time."""

from __future__ import annotations

import pytest
import torch

from unlearned.compat import tiny_model

pytestmark = pytest.mark.slow


def test_tiny_models_are_the_same_every_time() -> None:
    one, other = (tiny_model("gemma3n_text", seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
