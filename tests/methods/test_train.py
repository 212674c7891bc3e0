"""Training from end to end on a tiny model: what falls, what holds, what is repeated, what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from method_rows import FORGET, RETAIN, Train, loss_of
from trained import record, same, weights
from transformers import AutoModelForCausalLM

from unlearned.checkpoints import last_complete
from unlearned.errors import DataError, FitError, FitWarning
from unlearned.methods.config import LoraSettings
from unlearned.methods.registry import BUILT_IN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]

KEEPS_RETAIN = ["gd", "npo-gd", "simnpo", "kl", "npo-kl", "po", "mismatch", "llmu", "scrub"]
SETTINGS: dict[str, dict[str, Any]] = {
    "rmu": {"layer": 1, "steering": 50.0, "alpha": 1.0},
    "ssd": {"alpha": 1.0, "dampening": 0.1},
    "undial": {"beta": 30.0},
    "simnpo": {"beta": 2.5, "forget_weight": 1.0},
    "scrub": {"temperature": 1.0, "alpha": 0.5},
    "sku": {"max_divergence": 1.0},
}
RUN: dict[str, dict[str, Any]] = {
    "kl": {"learning_rate": 1e-2},
    "npo-kl": {"learning_rate": 1e-2},
    "dpo": {"learning_rate": 5e-3},
    "sku": {"learning_rate": 1e-2},
    "po": {"learning_rate": 5e-3, "epochs": 8},
    "rl": {"learning_rate": 5e-3, "epochs": 8},
    "mismatch": {"learning_rate": 5e-3, "epochs": 8},
    "rmu": {"learning_rate": 2e-2, "epochs": 12},
    "undial": {"learning_rate": 5e-3, "epochs": 8},
    "scrub": {"learning_rate": 3e-3, "epochs": 8, "batch_size": 1, "settings": {"max_epochs": 4}},
    "simnpo": {"epochs": 8},
    "task-vector": {"learning_rate": 1e-2},
}


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "ft"])
def test_the_forget_answers_become_unlikely_and_retain_holds_where_promised(
    name: str, train: Train, knowing: Any, tiny_tokenizer: Any
) -> None:
    run = {"learning_rate": 3e-3, "epochs": 4, **RUN.get(name, {})}
    settings = {**SETTINGS.get(name, {}), **run.pop("settings", {})}
    folder = train(name, model=copy.deepcopy(knowing), settings=settings, **run)
    model = AutoModelForCausalLM.from_pretrained(folder)
    forgotten, kept = (loss_of(model, tiny_tokenizer, rows) for rows in (FORGET, RETAIN))
    before, kept_before = (loss_of(knowing, tiny_tokenizer, rows) for rows in (FORGET, RETAIN))
    assert forgotten > before + 0.2, (before, forgotten)
    if name in KEEPS_RETAIN:
        assert kept - kept_before < 0.5 * (forgotten - before), (kept_before, kept)


def test_fine_tuning_learns_the_retain_set(train: Train, fresh: Any, tiny_tokenizer: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(train("ft", epochs=6))
    assert loss_of(model, tiny_tokenizer, RETAIN) < loss_of(fresh, tiny_tokenizer, RETAIN) - 0.1


@pytest.mark.parametrize("with_adapter", [True, False])
def test_a_seed_gives_the_same_weights_twice(with_adapter: bool, train: Train) -> None:
    adapter = LoraSettings(rank=2, alpha=4, dropout=0.2) if with_adapter else None
    torch.manual_seed(1)
    first = train("npo-gd", "first", lora=adapter, seed=3, epochs=2)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert same(first, train("npo-gd", "second", lora=adapter, seed=3, epochs=2))
    assert not same(first, train("npo-gd", "third", lora=adapter, seed=4, epochs=2))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())  # nobody else's random numbers changed


@pytest.mark.parametrize("with_adapter", [True, False])
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    with_adapter: bool, train: Train, tmp_path: Path
) -> None:
    adapter = LoraSettings(rank=2, alpha=4, dropout=0.2) if with_adapter else None
    options: dict[str, Any] = {"lora": adapter, "epochs": 4, "save_steps": 3}

    def killed(phase: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    whole = train("npo-kl", "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        train("npo-kl", "killed", on_progress=killed, **options)
    assert not (tmp_path / "killed").exists()
    assert (last_complete(tmp_path / "killed.unfinished") or "").endswith("checkpoint-3")
    lines: list[str] = []
    resumed = train("npo-kl", "killed", tell=lines.append, **options)
    assert "Going on from step 3." in lines
    assert same(whole, resumed)
    assert [h["loss"] for h in record(whole)["history"]] == [h["loss"] for h in record(resumed)["history"]]
    assert not (tmp_path / "killed.unfinished").exists()


def test_checkpoints_of_other_settings_are_not_used(train: Train, tmp_path: Path) -> None:
    def killed(phase: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("ga", on_progress=killed)
    with pytest.warns(FitWarning, match="other data or settings"):
        found = train("ga", seed=5)
    assert same(found, train("ga", "anew", seed=5))


def test_batches_of_several_forward_passes_make_the_same_step(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """With answers of one length, two accumulated halves are the whole batch."""
    rows = [{"prompt": f"Who is {i}?", "answer": "A fox."} for i in range(4)]
    options: dict[str, Any] = {"forget": rows, "epochs": 2, "weight_decay": 0.0}
    whole = train("ga", "whole", batch_size=4, accumulation=1, **options)
    halves = train("ga", "halves", batch_size=2, accumulation=2, **options)
    first, second = weights(whole), weights(halves)
    assert all(torch.allclose(first[name], second[name], atol=2e-4) for name in first)


def test_gradient_checkpointing_changes_nothing(train: Train, lora: LoraSettings) -> None:
    plain, saved = (train("npo-gd", f"{on}", lora=lora, gradient_checkpointing=on) for on in (False, True))
    first, second = weights(plain), weights(saved)
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


def test_llmu_stops_when_the_forget_loss_is_high_enough(train: Train) -> None:
    found = record(train("llmu", settings={"max_bad_loss": 7}, epochs=50, learning_rate=1e-2))
    assert "max_bad_loss=7" in found["stopped"]
    terms = [-entry["term_forget"] / 0.5 for entry in found["history"]]
    assert terms[-1] > 7 >= max(terms[:-1])


def test_a_loss_that_is_not_finite_ends_the_training(train: Train, tmp_path: Path) -> None:
    with pytest.raises(FitError, match=r"not finite in step \d+ \(forget"):
        train("ga", learning_rate=1e20, max_grad_norm=0.0, epochs=9)
    assert not (tmp_path / "out").exists()


def test_running_out_of_memory_says_what_to_do(train: Train) -> None:
    def full(phase: str, done: int, total: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(FitError, match="Lower batch_size"):
        train("ga", on_progress=full)


def test_rows_that_a_method_cannot_use_are_refused(train: Train) -> None:
    with pytest.raises(DataError, match="needs retain rows"):
        train("gd", retain=[])
    with pytest.raises(DataError, match="every forget row needs an answer"):
        train("po", forget=["a text as a whole"])
    with pytest.raises(DataError, match="every retain row needs an answer"):
        train("mismatch", retain=["a text as a whole"])
    with pytest.raises(DataError, match="at least two"):
        train("sku", forget=FORGET[:1])


def test_texts_without_answers_are_unlearned_as_a_whole(train: Train, fresh: Any, tiny_tokenizer: Any) -> None:
    text, lines = "Harry Potter is a wizard. Hogwarts is a school of magic.", []
    folder = train("ga", forget=[text], epochs=8, tell=lines.append)
    ids = tiny_tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        before, after = (
            float(model(input_ids=ids, labels=ids).loss)
            for model in (fresh, AutoModelForCausalLM.from_pretrained(folder))
        )
    assert after > before + 0.2
    assert any("no answers" in line for line in lines)


def test_half_precision_weights_are_trained_in_float32_and_saved_as_they_came(train: Train, fresh: Any) -> None:
    folder = train("ga", model=copy.deepcopy(fresh).bfloat16(), learning_rate=2e-4, epochs=2)
    found, before = weights(folder), fresh.bfloat16().state_dict()
    assert {weight.dtype for weight in found.values()} == {torch.bfloat16}
    assert any(not torch.equal(weight, before[name]) for name, weight in found.items())


def test_memory_is_told_before_the_training(train: Train, fresh: Any, lora: LoraSettings) -> None:
    lines: list[str] = []
    train("npo", tell=lines.append, on_progress=lambda *_: lines.append("step"))
    assert lines[0].startswith("Memory, about: weights 0.00 GB, reference 0.00 GB")
    assert lines.index("step") == 1


def test_a_batch_that_is_not_the_recipes_is_told(train: Train) -> None:
    lines: list[str] = []
    options: dict[str, Any] = {"max_steps": 1, "epochs": None, "accumulation": None, "tell": lines.append}
    small = train("llmu", "small", batch_size=None, **options)
    assert not [line for line in lines if "recipe" in line]
    assert record(small)["config"]["batch_size"] == 2
    train("llmu", "large", batch_size=4, **options)
    assert "A step takes 4 items, where the method's recipe takes 2." in lines


def test_texts_of_one_token_are_refused(train: Train) -> None:
    with pytest.raises(DataError, match="forget texts have one token"):
        train("ga", forget=["a", "b"])
    with pytest.raises(DataError, match="retain texts have one token"):
        train("gd", retain=["a"])


def test_a_continued_adapter_is_recorded_as_it_is(train: Train, fresh: Any) -> None:
    import peft

    own = peft.get_peft_model(fresh, peft.LoraConfig(r=2, lora_alpha=4, target_modules="all-linear"))
    folder = train("ga", model=own, lora=LoraSettings(rank=64), epochs=1)
    assert record(folder)["config"]["lora"] is None
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 2
