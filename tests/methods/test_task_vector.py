"""The forget set is learned even better, and that is subtracted."""

from __future__ import annotations

import pytest
from losses_by_hand import EXPECTED, close, total

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method


def test_the_loss_is_plain_descent_and_the_scale_is_how_far_it_goes_back() -> None:
    assert total("task-vector") == close(EXPECTED["task-vector"]())
    assert make_method("task-vector", {"scale": "4"}).negation == 4.0
    with pytest.raises(ConfigError, match="scale"):
        make_method("task-vector", {"scale": 0})
