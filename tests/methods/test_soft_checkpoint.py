"""A killed training of a soft prompt goes on to the same vectors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from method_rows import FORGET, RETAIN

from unlearned.errors import (
    ConfigError,
    FitWarning,
)
from unlearned.methods import soft_checkpoint
from unlearned.methods.spul import SpulConfig, train_soft_prompt


def test_a_killed_training_goes_on_to_the_same_vectors(
    fresh: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soft_checkpoint, "SECONDS", 0.0)
    config = SpulConfig(tokens=2, epochs=6, batch_size=3, learning_rate=1e-2)
    steps: list[int] = []

    def watched(phase: str, done: int, total: int, kill_at: int | None = None) -> None:
        steps.append(done)
        if done == kill_at:
            raise KeyboardInterrupt

    whole = train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, config)
    place = tmp_path / "soft.unfinished"
    kill_at = -(-(len(FORGET) + len(RETAIN)) // 3) * 2 + 1  # within an epoch
    killed = partial(watched, kill_at=kill_at)
    with pytest.raises(KeyboardInterrupt):
        train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, config, killed, checkpoints=place)
    steps.clear()
    again = train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, config, watched, checkpoints=place)
    assert steps[0] == kill_at + 1
    assert torch.equal(again.vectors, whole.vectors)
    assert again.record == whole.record

    other = replace(config, seed=1)
    steps.clear()
    with pytest.warns(FitWarning, match="other data or settings"):
        train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, other, watched, checkpoints=place)
    assert steps[0] == 1
    with pytest.raises(ConfigError, match="holds no checkpoints"):
        train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, config, checkpoints=tmp_path)
