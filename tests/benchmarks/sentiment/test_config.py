"""Settings that make no sense are refused."""

from __future__ import annotations

import pytest

from unlearned.benchmarks.sentiment.config import SentimentRunConfig
from unlearned.errors import ConfigError


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        SentimentRunConfig(unlearners=("none", "none"))
    with pytest.raises(ConfigError, match="seeds=0"):
        SentimentRunConfig(seeds=0)
