"""Settings are checked before anything runs."""

from __future__ import annotations

import pytest

from unlearned.benchmarks.copyright.config import CopyrightRunConfig, StartConfig
from unlearned.errors import ConfigError, UnknownNameError


def test_the_start_model_is_trained_as_the_machine_allows() -> None:
    full = StartConfig(adapter=False).train_config(256, None)
    assert (full.lora, full.epochs, full.learning_rate, full.schedule, full.warmup) == (None, 5, 2e-5, "cosine", 0.1)
    assert full.batch_size * (full.accumulation or 1) == 8
    small = StartConfig(adapter=True, epochs=3).train_config(256, "cpu")
    assert small.lora is not None
    assert (small.epochs, small.device) == (3, "cpu")


@pytest.mark.parametrize("name", ["epochs", "learning_rate"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_training_that_would_teach_nothing_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^{name}=.*: must be above 0"):
        StartConfig(**{name: value})


def test_settings_are_checked_before_anything_runs() -> None:
    with pytest.raises(UnknownNameError, match="eco"):
        CopyrightRunConfig(task="book", unlearners=("ecoo",))
    with pytest.raises(ConfigError, match="named twice"):
        CopyrightRunConfig(task="book", unlearners=("none", "none"))
    with pytest.raises(ConfigError, match="limit=1"):
        CopyrightRunConfig(task="book", limit=1)
