"""Settings out of range are refused."""

from __future__ import annotations

import pytest

from unlearned.benchmarks.tofu.config import EvaluationConfig
from unlearned.errors import ConfigError


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="ds_size"):
        EvaluationConfig(ds_size=0)
    with pytest.raises(ConfigError, match="recheck"):
        EvaluationConfig(recheck=-1)
