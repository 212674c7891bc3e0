"""The Trainer's arguments act as they say, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from method_rows import Train
from trained import record, same

from unlearned.checkpoints import last_complete
from unlearned.errors import ConfigError
from unlearned.methods import trainer as trainer_module
from unlearned.methods.base import Recipe
from unlearned.methods.config import TrainConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


def test_other_arguments_reach_the_trainer(train: Train) -> None:
    assert record(train("ga", trainer={"adam_beta2": 0.5}))["config"]["trainer"] == {"adam_beta2": 0.5}
    with pytest.raises(ConfigError, match="'learning_rate' by the option of its own"):
        train("ga", "other", trainer={"learning_rate": 1.0})
    with pytest.raises(ConfigError, match="refuses these arguments"):
        train("ga", "other", trainer={"no_such_thing": 1})
    with pytest.raises(ConfigError, match="no_such_report is not supported"):
        train("ga", "other", report_to="no_such_report")


def test_arguments_have_their_effect(fresh: Any, tmp_path: Path) -> None:
    config = TrainConfig(trainer={"adam_beta2": 0.5, "max_steps": 3}).filled(Recipe(), adapter=True)
    with pytest.raises(ConfigError, match="'max_steps'"):
        trainer_module._arguments(config, tmp_path, torch.float32, 100)
    config = TrainConfig(trainer={"adam_beta2": 0.5}).filled(Recipe(), adapter=True)
    arguments = trainer_module._arguments(config, tmp_path, torch.bfloat16, 100)
    assert (arguments.adam_beta2, arguments.learning_rate, arguments.bf16) == (0.5, pytest.approx(1e-4), True)
    assert arguments.gradient_accumulation_steps * arguments.per_device_train_batch_size == 32


def test_a_run_that_ends_by_steps_keeps_checkpoints_within_its_first_epoch(train: Train, tmp_path: Path) -> None:
    rows = [{"prompt": f"Who is {i}?", "answer": "A fox."} for i in range(40)]

    def killed(phase: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"forget": rows, "batch_size": 1, "epochs": None, "max_steps": 6}
    with pytest.raises(KeyboardInterrupt):
        train("ga", on_progress=killed, **options)
    assert (last_complete(tmp_path / "out.unfinished") or "").endswith("checkpoint-4")
    assert same(train("ga", **options), train("ga", "whole", **options))
    steps = {
        (items, limit): trainer_module._save_steps(TrainConfig(max_steps=limit, batch_size=4, accumulation=8), items)
        for items, limit in ((4000, 1000), (100, 1000), (4000, 5), (4000, None))
    }
    assert steps == {(4000, 1000): 100, (100, 1000): 4, (4000, 5): 1, (4000, None): None}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"label_smoothing_factor": 0.1}, "has no effect"),
        ({"resume_from_checkpoint": "elsewhere"}, "has no effect"),
        ({"dataloader_persistent_workers": True, "dataloader_num_workers": 1}, "first epoch"),
    ],
)
def test_arguments_that_would_not_act_as_they_say_are_refused(argument: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(trainer=argument)
    assert TrainConfig(trainer={"label_smoothing_factor": 0.0, "dataloader_num_workers": 1}).trainer


@pytest.mark.parametrize("argument", [{"adam_beta1": 2.0}, {"dataloader_num_workers": -1}])
def test_arguments_that_fail_in_the_training_are_one_line(argument: dict[str, Any], train: Train) -> None:
    with pytest.raises(ConfigError, match="The Trainer cannot run with these arguments: "):
        train("ga", trainer=argument)
