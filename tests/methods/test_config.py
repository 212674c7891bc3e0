"""Settings of a training are checked at once, and what is not said comes from the recipe."""

from __future__ import annotations

import math
from typing import Any

import pytest

from unlearned.errors import ConfigError
from unlearned.methods.base import Recipe
from unlearned.methods.config import Form, LoraSettings, TrainConfig
from unlearned.methods.registry import BUILT_IN, make_method


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_default_batch_is_the_recipes_own(processes: int) -> None:
    for name in BUILT_IN:
        recipe = make_method(name).recipe
        full = TrainConfig().filled(recipe, adapter=False, processes=processes)
        assert full.batch_size is not None
        assert full.accumulation is not None
        assert full.batch_size * full.accumulation * processes == max(recipe.batch_size, processes), name
        assert full.batch_size <= 4
    chosen = TrainConfig(batch_size=3, accumulation=5).filled(Recipe(), adapter=False, processes=processes)
    assert (chosen.batch_size, chosen.accumulation) == (3, 5)
    assert TrainConfig(batch_size=8).filled(Recipe(), adapter=False, processes=processes).accumulation == 4 // processes


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_not_all_generators_take_are_refused(seed: int) -> None:
    from unlearned.methods.spul import SpulConfig

    for kind in (TrainConfig, SpulConfig):
        with pytest.raises(ConfigError, match=rf"seed={seed}: must lie in 0\.\."):
            kind(seed=seed)


def test_what_is_not_said_is_the_recipe_s_and_an_adapter_learns_faster() -> None:
    recipe = Recipe(learning_rate=2e-5, epochs=3, batch_size=32, schedule="cosine", warmup=0.1, weight_decay=0.02)
    full = TrainConfig().filled(recipe, adapter=False)
    assert (full.learning_rate, full.epochs, full.schedule, full.warmup, full.weight_decay) == (
        2e-5, 3, "cosine", 0.1, 0.02,
    )  # fmt: skip
    assert TrainConfig().filled(recipe, adapter=True).learning_rate == pytest.approx(2e-4)
    said = TrainConfig(learning_rate=1e-3, warmup=0.0, weight_decay=0.0).filled(recipe, adapter=True)
    assert (said.learning_rate, said.warmup, said.weight_decay) == (1e-3, 0.0, 0.0)
    steps = Recipe(max_steps=80)
    assert TrainConfig().filled(steps, adapter=False).max_steps == 80
    assert TrainConfig(epochs=2).filled(steps, adapter=False).max_steps is None
    assert TrainConfig(max_steps=5, epochs=2).filled(steps, adapter=False).max_steps == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"accumulation": 0},
        {"max_steps": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.inf},
        {"epochs": -1.0},
        {"warmup": 1.0},
        {"weight_decay": -0.1},
        {"max_tokens": 7},
        {"schedule": "steps"},
        {"device": "gpu"},
        {"refusals": "neutral"},
        {"refusals": ["a", " "]},
        {"trainer": {"label_smoothing_factor": 0.1}},
        {"trainer": {"dataloader_persistent_workers": True}},
    ],
)
def test_settings_outside_their_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TrainConfig(**wrong)


def test_forms_hold_their_columns_and_adapters_have_a_rank() -> None:
    Form(prompt="{prompt}", answer="{answer}")
    for form in ({"prompt": "Q:"}, {"answer": "A:"}):
        with pytest.raises(ConfigError):
            Form(**form)
    for lora in ({"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"dropout": -0.1}):
        with pytest.raises(ConfigError):
            LoraSettings(**lora)
