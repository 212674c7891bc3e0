"""Fine-tuning: what is learned, and that an interruption changes nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tofu_rows import pair

from unlearned.benchmarks.models import adapter_sha256, with_adapter
from unlearned.benchmarks.tofu import finetune as module
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.benchmarks.tofu.finetune import ADAPTER, CHECKPOINT, RECORD, Example, batch_loss, batches, finetune
from unlearned.errors import ConfigError, DataError, ModelLoadError
from unlearned.methods.record import weights_sha256

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]

PAIRS = [QuestionAnswer(**pair(author, fact)) for author in range(2) for fact in range(5)]
CONFIG = FinetuneConfig(epochs=3, batch_size=4, rank=4, alpha=8, learning_rate=1e-2)

Load = Callable[[], tuple[Any, Any]]


@pytest.fixture
def load(tiny_model: Any, tiny_tokenizer: Any) -> Load:
    return lambda: (copy.deepcopy(tiny_model), tiny_tokenizer)


def weights(adapter: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(adapter / "adapter_model.safetensors")
    return found


def same(first: Path, second: Path) -> bool:
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_loss_falls_and_the_adapter_works(load: Load, tmp_path: Path) -> None:
    lines: list[str] = []
    adapter = finetune(load, PAIRS, CONFIG, name="start", cache=tmp_path, tell=lines.append)
    losses = json.loads((adapter.parent / RECORD).read_text())["epoch_losses"]
    assert losses[2] < losses[1] < losses[0]
    assert len(lines) == 3
    assert "start: epoch 1 of 3, loss" in lines[0]
    assert "min left" in lines[0]
    model, _ = with_adapter(load, adapter)
    plain, _ = load()
    ids = torch.tensor([[5, 6, 7]])
    assert not torch.allclose(model(input_ids=ids).logits, plain(input_ids=ids).logits)
    assert not [f for f in adapter.parent.rglob("*") if f.suffix in (".bin", ".pt", ".pth", ".pkl")]


def test_a_gentle_adapter_is_not_rounded_away_where_it_must_be_exact(load: Load, tmp_path: Path) -> None:
    """As far from the original model as in float32; merging into 16 bits loses what is less than their last one."""

    def half() -> tuple[Any, Any]:
        model, tokenizer = load()
        return model.bfloat16(), tokenizer

    gentle = finetune(load, PAIRS, replace(CONFIG, epochs=1, learning_rate=1e-5), cache=tmp_path)
    plain, full = load()[0].state_dict(), with_adapter(load, gentle)[0].state_dict()
    merged, kept = with_adapter(half, gentle)[0].state_dict(), with_adapter(half, gentle, exact=True)[0]
    name = "model.layers.0.mlp.down_proj"
    wanted = full[f"{name}.weight"] - plain[f"{name}.weight"]
    lost = (merged[f"{name}.weight"].float() - plain[f"{name}.weight"].bfloat16().float() - wanted).norm()
    assert lost > 0.3 * wanted.norm() > 0
    beside = kept.get_submodule(f"base_model.model.{name}").get_delta_weight("default")
    assert torch.allclose(beside.float(), wanted, atol=1e-7)
    assert not kept.training
    assert "lora" not in " ".join(with_adapter(load, gentle, exact=True)[0].state_dict())


def test_a_goal_that_was_not_reached_is_told(load: Load, tmp_path: Path) -> None:
    class Never:
        name = "perfection"

        def reached(self, model: Any, loss: float) -> bool:
            return False

    lines: list[str] = []
    finetune(load, PAIRS, CONFIG, goal=Never(), name="teach", cache=tmp_path, tell=lines.append)
    assert lines[-1] == "teach: the 3 epochs are over, and the goal (perfection) was not reached. Give more."


def test_a_training_that_was_killed_ends_with_the_same_weights(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finetune(load, PAIRS, CONFIG, cache=tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill(line: str) -> None:
        if "epoch 2" in line:
            raise KilledError

    with pytest.raises(KilledError):
        finetune(load, PAIRS, CONFIG, cache=tmp_path / "parts", tell=kill)
    [checkpoint] = (tmp_path / "parts").rglob(CHECKPOINT)
    lines: list[str] = []
    resumed = finetune(load, PAIRS, CONFIG, cache=tmp_path / "parts", tell=lines.append)
    assert len(lines) == 1
    assert same(whole, resumed)
    records = [json.loads((adapter.parent / RECORD).read_text()) for adapter in (whole, resumed)]
    assert records[0] == records[1]
    assert not checkpoint.exists()


def test_a_broken_checkpoint_is_named(load: Load, tmp_path: Path) -> None:
    folder = finetune(load, PAIRS[:4], CONFIG, cache=tmp_path).parent
    for file in (folder / ADAPTER).iterdir():
        file.unlink()
    (folder / CHECKPOINT).write_bytes(b"what is this")
    with pytest.raises(DataError, match="cannot be used"):
        finetune(load, PAIRS[:4], CONFIG, cache=tmp_path)


def test_the_cache_knows_data_config_and_base_model(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = finetune(load, PAIRS, CONFIG, cache=tmp_path)
    monkeypatch.setattr(module, "_train", lambda *_: pytest.fail("trained again"))
    assert finetune(load, PAIRS, CONFIG, cache=tmp_path) == first
    trained: list[Any] = []
    monkeypatch.setattr(module, "_train", lambda *_: trained.append(1) or [0.0])
    others = [
        finetune(load, PAIRS[:-1], CONFIG, cache=tmp_path),
        finetune(load, PAIRS, FinetuneConfig(epochs=2, batch_size=4, rank=4), cache=tmp_path),
    ]
    model, tokenizer = load()
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] += 1
    others.append(finetune(lambda: (model, tokenizer), PAIRS, CONFIG, cache=tmp_path))
    assert len({first, *others}) == 4
    assert len(trained) == 3


def test_the_base_model_is_recognised_by_its_weights(tiny_model: Any) -> None:
    same_model = copy.deepcopy(tiny_model)
    assert weights_sha256(same_model) == weights_sha256(tiny_model)
    assert weights_sha256(same_model.to(torch.bfloat16)) != weights_sha256(tiny_model)


def test_the_loss_is_the_mean_over_target_tokens_only(tiny_model: Any) -> None:
    batch = [Example((5, 6, 7, 8), (9, 10, 1)), Example((11, 12), (13, 14, 15, 16, 1))]
    found, count = batch_loss(tiny_model, batch)
    losses = []
    for example in batch:
        ids = torch.tensor([[*example.prompt, *example.target]])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = tiny_model(input_ids=ids).logits[0].float()
        start = len(example.prompt) - 1
        predicted = logits[start : start + len(example.target)]
        wanted = torch.tensor(example.target)
        losses += torch.nn.functional.cross_entropy(predicted, wanted, reduction="none").tolist()
    assert count == 8
    assert float(found.detach()) == pytest.approx(np.mean(losses), abs=5e-3)


def test_batches_hold_every_example_once_in_another_order_every_epoch() -> None:
    examples = [Example((1,) * (n % 7 + 1), (n,)) for n in range(40)]
    epochs = [list(batches(examples, CONFIG, epoch)) for epoch in (0, 1)]
    for epoch in epochs:
        assert sorted(example.target[0] for batch in epoch for example in batch) == list(range(40))
        assert max(map(len, epoch)) == 4
    assert epochs[0] != epochs[1]
    assert epochs[0] == list(batches(examples, CONFIG, 0))
    padding = sum(max(map(len, batch)) - len(example) for batch in epochs[0] for example in batch)
    assert padding < 20  # 60 or so without buckets


def test_what_cannot_be_trained_on_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to train"):
        finetune(load, [], CONFIG, cache=tmp_path)
    with pytest.raises(ConfigError, match="a question alone"):
        finetune(load, PAIRS, FinetuneConfig(max_tokens=3), cache=tmp_path)
    with pytest.raises(ConfigError, match="learning_rate"):
        FinetuneConfig(learning_rate=0)
    with pytest.raises(ConfigError, match="at least 1"):
        FinetuneConfig(epochs=0)


def test_a_folder_without_an_adapter_is_named(load: Load, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no adapter"):
        adapter_sha256(tmp_path)
    with pytest.raises(ModelLoadError, match="Cannot put the adapter"):
        with_adapter(load, tmp_path)
