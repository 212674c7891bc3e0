"""Tiny models that know something, and a quick training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from method_rows import FORGET, RETAIN, Train, encoded
from transformers import LlamaConfig, LlamaForCausalLM

from once import made_once
from unlearned.methods.config import LoraSettings, TrainConfig
from unlearned.methods.spul import SpulConfig, train_soft_prompt
from unlearned.methods.train import train_method
from unlearned.unlearners.spul import SPUL

SOFT = SpulConfig(tokens=4, hidden=16, learning_rate=1e-2, epochs=80, batch_size=8, alpha=1.0, labels=("unknown",))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The soft prompt is trained."""
    for item in items:
        if "soft" in getattr(item, "fixturenames", ()) and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def fresh(tiny_model: Any) -> Any:
    """A copy of the tiny model with larger weights: by default a random model answers every prompt alike."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.1})).eval()


@pytest.fixture(scope="session")
def knowing(tiny_model: Any, tiny_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny model that knows forget and retain rows by heart: plain descent on both."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.1}))
    file = made_once(tmp_path_factory, "knowing.pt", lambda path: torch.save(_learned(model, tiny_tokenizer), path))
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


def _learned(model: Any, tokenizer: Any) -> dict[str, torch.Tensor]:
    """Weights of the model after it learned all rows."""
    batch = encoded(tokenizer, [*FORGET, *RETAIN])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.zero_grad()
    assert float(loss.detach()) < 0.1
    return dict(model.state_dict())


@pytest.fixture(scope="session")
def soft(knowing: Any, tiny_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> SPUL:
    """A soft prompt under which that model answers forget prompts with "unknown"."""
    folder = made_once(
        tmp_path_factory,
        "soft",
        lambda path: train_soft_prompt(knowing, tiny_tokenizer, FORGET, RETAIN, SOFT).save_pretrained(path),
    )
    return SPUL.from_pretrained(folder)


@pytest.fixture
def train(fresh: Any, tiny_tokenizer: Any, tmp_path: Path) -> Train:
    """Trains a copy of the fresh model for a few quick steps."""

    def run(name: str, out: str = "out", **config: Any) -> Path:
        settings = config.pop("settings", None)
        model = config.pop("model", None) or copy.deepcopy(fresh)
        told = {key: config.pop(key) for key in ("tell", "on_progress") if key in config}
        forget, retain = config.pop("forget", FORGET), config.pop("retain", RETAIN)
        defaults = {"learning_rate": 1e-3, "epochs": 3, "accumulation": 1, "batch_size": 2, "warmup": 0.0}
        chosen = TrainConfig(**{**defaults, **config})
        return train_method(
            name, model, tiny_tokenizer, forget, retain, chosen, tmp_path / out, settings=settings, **told
        )

    return run


@pytest.fixture
def lora() -> LoraSettings:
    return LoraSettings(rank=4, alpha=8, dropout=0.0)
