"""What a run of the harness can be told is checked at once."""

from __future__ import annotations

import pytest

from unlearned.errors import ConfigError
from unlearned.harness.config import EvalConfig
from unlearned.harness.tasks import GENERAL


def test_aliases_are_written_out_and_every_task_is_asked_once() -> None:
    assert EvalConfig(tasks=("general",)).names == GENERAL
    assert EvalConfig(tasks=("boolq", "general", "boolq")).names == ("boolq", *(n for n in GENERAL if n != "boolq"))


def test_settings_outside_their_range_are_refused() -> None:
    EvalConfig(tasks=("a",), limit=1, batch_size=1, num_fewshot=0)
    for wrong in ({"tasks": ()}, {"limit": 0}, {"batch_size": 0}, {"num_fewshot": -1}):
        with pytest.raises(ConfigError):
            EvalConfig(**({"tasks": ("a",)} | wrong))
