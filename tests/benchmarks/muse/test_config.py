"""Settings are checked before anything runs."""

from __future__ import annotations

import pytest

from unlearned.benchmarks.muse.config import MuseRunConfig
from unlearned.errors import ConfigError


def test_one_of_two_models_is_refused() -> None:
    with pytest.raises(ConfigError, match="both --start and --retained"):
        MuseRunConfig(start="x")


def test_how_texts_are_cut_is_checked_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="style='half': must be one of muse, open-unlearning"):
        MuseRunConfig(style="half")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="max_tokens=7"):
        MuseRunConfig(max_tokens=7)
