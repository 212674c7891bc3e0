"""Bad settings are named."""

from __future__ import annotations

import pytest

from unlearned.benchmarks.classifier.config import BenchmarkConfig
from unlearned.errors import ConfigError


def test_bad_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no row 'typo'.*typos"):
        BenchmarkConfig(rows=("typo",))
    with pytest.raises(ConfigError, match="limit=1"):
        BenchmarkConfig(limit=1)
    with pytest.raises(KeyError, match="kernel"):
        BenchmarkConfig(classifiers=("kernle",))
