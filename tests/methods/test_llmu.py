"""Ascent on answers, random answers in their place, and an end when it is enough."""

from __future__ import annotations

import pytest
from losses_by_hand import EXPECTED, close, kl, naive_llmu_parts, terms, total

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method


def test_the_loss_is_the_formula() -> None:
    assert total("llmu") == close(EXPECTED["llmu"]())
    assert total("llmu", bad_weight=0.1, random_weight=0, normal_weight=2) == close(
        -0.1 * naive_llmu_parts()[0] + 2 * kl()
    )


def test_it_ends_above_its_bound_whatever_the_weight() -> None:
    bad = naive_llmu_parts()[0]
    for weight in (0.1, 0.5, 2.0):
        below, above = (make_method("llmu", {"bad_weight": weight, "max_bad_loss": bad + by}) for by in (0.01, -0.01))
        found = terms("llmu", bad_weight=weight)
        assert below.stop(found) is None
        assert f"{bad:.1f}" in str(above.stop(found))


def test_settings_outside_their_range_are_refused() -> None:
    for name in ("bad_weight", "max_bad_loss", "answers"):
        with pytest.raises(ConfigError, match=name):
            make_method("llmu", {name: 0})
