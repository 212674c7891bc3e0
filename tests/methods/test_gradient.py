"""Descent on what stays, ascent on what goes, and both together."""

from __future__ import annotations

import pytest
from losses_by_hand import EXPECTED, F, R, ce, close, kl, total

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method


@pytest.mark.parametrize("name", ["ft", "ga", "gd", "kl"])
def test_the_loss_is_the_formula(name: str) -> None:
    assert total(name) == close(EXPECTED[name]())


def test_coefficients_weigh_their_terms() -> None:
    assert total("gd", forget_weight=0.5, retain_weight=3) == close(-0.5 * ce(F) + 3 * ce(R))
    assert total("kl", kl_mask="all", kl_weight=2) == close(-ce(F) + 2 * kl("all"))
    assert total("ga", retain_weight=1.0) == close(total("gd"))


def test_only_what_a_weight_counts_is_read() -> None:
    for name, settings, sees, needs in (
        ("ft", {}, ("retain",), False),
        ("ga", {}, ("forget",), False),
        ("gd", {}, ("forget", "retain"), False),
        ("gd", {"retain_weight": 0}, ("forget",), False),
        ("kl", {}, ("forget", "retain"), True),
        ("kl", {"kl_weight": 0}, ("forget",), False),
    ):
        method = make_method(name, settings)
        assert (method.sees, method.needs_reference) == (sees, needs), (name, settings)
    assert make_method("ft").over == "retain"


@pytest.mark.parametrize("name", ["forget_weight", "retain_weight", "kl_weight"])
def test_weights_are_not_negative(name: str) -> None:
    for wrong in (-1, float("inf")):
        with pytest.raises(ConfigError, match=name):
            make_method("ga", {name: wrong})
