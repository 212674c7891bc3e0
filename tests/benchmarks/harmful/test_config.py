"""Settings that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.harmful.config import HarmfulRunConfig
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "x"}, "together"),
        ({"label": "unsafe"}, "--harm-label is for a classifier"),
        ({"unlearners": ("ga", "ga")}, "twice"),
        ({"train": {"npo.epochs": 1}}, "'npo' is not among the unlearners"),
        ({"train": {"epoch": 1}}, "there is no such setting"),
        ({"epochs": -1}, "epochs=-1"),
        ({"model": ModelOptions(adapter="x")}, "--epochs 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HarmfulRunConfig(**changes)
