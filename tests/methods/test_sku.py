"""The harmful behaviour is learned, within bounds, to be walked away from."""

from __future__ import annotations

import pytest
from losses_by_hand import EXPECTED, close, kl, terms, total

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method


def test_sku_caps_the_divergence_that_it_maximises() -> None:
    assert kl() > 0.1
    assert terms("sku", max_divergence=0.1)["divergence"] == pytest.approx(-0.1)


def test_the_loss_is_the_formula() -> None:
    assert total("sku") == close(EXPECTED["sku"]())
    assert make_method("sku", {"scale": 2}).negation == 2.0
    for name in ("max_divergence", "scale", "answers"):
        with pytest.raises(ConfigError, match=name):
            make_method("sku", {name: 0})
