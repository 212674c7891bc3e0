"""Settings of a run of probes are checked at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unlearned.benchmarks.probes.config import AskConfig, ProbeConfig, ProbesConfig
from unlearned.errors import ConfigError


@pytest.mark.parametrize("names", [[], ["a/x", "b/x"], ["start"], ["a", "deep/retained"]])
def test_artifacts_need_names_of_their_own(names: list[str]) -> None:
    ProbesConfig(data="d", artifacts=(Path("a"), Path("b")))
    with pytest.raises(ConfigError):
        ProbesConfig(data="d", artifacts=tuple(map(Path, names)))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(AskConfig, {"facts": 0}), (AskConfig, {"batch_size": 0}), (ProbeConfig, {"c": 0.0}), (ProbeConfig, {"c": -1.0})],
)
def test_numbers_outside_their_range_are_refused(kind: Any, wrong: dict[str, Any]) -> None:
    kind()
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        kind(**wrong)
