"""Bounds of a check are shares."""

from __future__ import annotations

import pytest

from unlearned.check.config import Bounds, CheckConfig
from unlearned.errors import ConfigError


def test_shares_lie_between_nothing_and_all() -> None:
    CheckConfig()
    for name in ("missed", "flagged", "leaks", "told_apart"):
        for border in (0.0, 1.0):
            Bounds(**{name: border})
        for wrong in (-0.01, 1.01, float("nan")):
            with pytest.raises(ConfigError, match=name.replace("_", " ")):
                Bounds(**{name: wrong})
    assert Bounds().told_apart is None
