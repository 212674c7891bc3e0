"""Ascent that slows down where an answer has become unlikely."""

from __future__ import annotations

import pytest
from losses_by_hand import EXPECTED, NOW, F, R, ce, close, logsigm, losses, mean, naive_npo, total

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method


@pytest.mark.parametrize("name", ["npo", "npo-gd", "npo-kl", "simnpo"])
def test_the_loss_is_the_formula(name: str) -> None:
    assert total(name) == close(EXPECTED[name]())


def test_settings_are_those_of_the_formula() -> None:
    assert total("npo", beta=0.5) == close(naive_npo(0.5))
    assert total("simnpo", delta=0.2, beta=2.0, forget_weight=1.0) == close(
        -mean([logsigm(2 * (mean(row) - 0.2)) for row in losses(NOW, F)]) + ce(R)
    )


def test_only_the_variant_without_a_reference_needs_none() -> None:
    assert {name: make_method(name).needs_reference for name in ("npo", "npo-gd", "npo-kl", "simnpo")} == {
        "npo": True,
        "npo-gd": True,
        "npo-kl": True,
        "simnpo": False,
    }
    for wrong in (0, -1):
        with pytest.raises(ConfigError, match="beta"):
            make_method("npo", {"beta": wrong})
