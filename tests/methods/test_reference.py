"""The start model under full weights, a new adapter and a continued one; and what is left of it afterwards."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
import torch
from method_rows import FORGET, Train
from safetensors.torch import load_file
from small_steps import batch, continued, prepared
from transformers import GPT2Config, GPT2LMHeadModel

from bench.methods.run import _cast_as_in_training
from unlearned.errors import ConfigError
from unlearned.methods.config import LoraSettings
from unlearned.methods.reference import AdapterOff, AdapterStart, FrozenCopy
from unlearned.methods.registry import make_method
from unlearned.methods.step import Step
from unlearned.methods.weights import prepare_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


@pytest.fixture
def dropping(tiny_model: Any) -> Any:
    """A model with dropout of its own, as OPT and GPT-2 have it."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=400, n_embd=32, n_layer=2, n_head=2, n_positions=256, resid_pdrop=0.5, embd_pdrop=0.5
    )
    return GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("kind", ["full", "new", "continued"])
@pytest.mark.filterwarnings("ignore:fan_in_fan_out")
def test_the_reference_is_the_start_model_without_dropout(kind: str, dropping: Any, tiny_tokenizer: Any) -> None:
    ready = prepared(dropping, kind)
    model, data = ready.model, batch(tiny_tokenizer)
    start = model.eval()(input_ids=data.input_ids, attention_mask=data.attention_mask).logits.detach()
    model.train()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)  # a step of training
    trainable = [name for name, weight in model.named_parameters() if weight.requires_grad]
    step = Step(model, {"forget": data}, ready.reference)
    found = step.reference_logits("forget")
    assert torch.allclose(found, start, atol=1e-5)
    assert not found.requires_grad
    assert trainable == [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert all(module.training for module in model.modules())
    assert not torch.allclose(step.logits("forget"), start, atol=1e-2)


@pytest.mark.parametrize("kind", ["full", "new", "continued"])
def test_the_reference_pass_does_not_disturb_the_gradient(kind: str, fresh: Any, tiny_tokenizer: Any) -> None:
    """The reference may run between a recorded forward pass and its backward pass."""
    ready = prepared(fresh, kind)
    model, data = ready.model.eval(), batch(tiny_tokenizer)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.01)

    def gradients(*, disturbed: bool) -> dict[str, Any]:
        step = Step(model, {"retain": data}, ready.reference)
        loss = step.ce("retain")
        if disturbed:
            step.reference_logits("retain")
        model.zero_grad()
        loss.backward()
        return {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}

    plain, disturbed = gradients(disturbed=False), gradients(disturbed=True)
    assert plain.keys() == disturbed.keys() != set()
    assert all(torch.equal(plain[name], disturbed[name]) for name in plain)


def test_the_reference_leaves_no_trace_after_an_error(fresh: Any) -> None:
    for ready in (prepared(copy.deepcopy(fresh), "new"), prepared(copy.deepcopy(fresh), "continued")):
        before = {name: weight.clone() for name, weight in ready.model.named_parameters()}
        flags = [weight.requires_grad for weight in ready.model.parameters()]
        ready.model.train()
        assert ready.reference is not None
        with pytest.raises(RuntimeError, match="halfway"), ready.reference.active(ready.model):
            raise RuntimeError("halfway")
        assert all(torch.equal(before[name], weight) for name, weight in ready.model.named_parameters())
        assert flags == [weight.requires_grad for weight in ready.model.parameters()]
        assert ready.model.training


def test_an_adapter_needs_no_second_model(fresh: Any) -> None:
    assert isinstance(prepared(copy.deepcopy(fresh), "new").reference, AdapterOff)
    kept = prepared(copy.deepcopy(fresh), "continued")
    assert isinstance(kept.reference, AdapterStart)
    assert 0 < kept.reference_bytes < 0.5 * sum(w.numel() * 4 for w in fresh.parameters())
    copied = prepared(fresh, "full")
    assert isinstance(copied.reference, FrozenCopy)
    assert copied.reference_bytes == sum(w.numel() * 4 for w in fresh.parameters())
    assert prepare_weights(fresh, make_method("gd"), None, checkpointing=False).reference is None


def test_a_methods_choice_of_weights_survives_the_reference(fresh: Any, tiny_tokenizer: Any) -> None:
    """Switching an adapter on again makes all of it trainable, unless the flags are put back."""
    ready = prepared(fresh, "new", make_method("rmu", {"layer": 1}))
    chosen = {name for name, weight in ready.model.named_parameters() if weight.requires_grad}
    assert chosen
    assert all("down_proj.lora" in name and (".0." in name or ".1." in name) for name in chosen)
    Step(ready.model, {"retain": batch(tiny_tokenizer)}, ready.reference).reference_hidden("retain", 1)
    assert chosen == {name for name, weight in ready.model.named_parameters() if weight.requires_grad}
    ready.restore()
    assert len([1 for weight in ready.model.parameters() if weight.requires_grad]) > len(chosen)


def test_rmu_changes_three_projections_and_nothing_else(train: Train, fresh: Any) -> None:
    folder = train("rmu", settings={"layer": 1}, learning_rate=1e-2)
    found = load_file(folder / "model.safetensors")
    changed = {
        name for name, weight in fresh.state_dict().items() if name in found and not torch.equal(weight, found[name])
    }
    assert changed == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1)}


def test_rmu_refuses_a_layer_that_the_model_lacks(train: Train) -> None:
    with pytest.raises(ConfigError, match=r"has 3 layers, so it must lie in 0\.\.1"):
        train("rmu")
    with pytest.raises(ConfigError, match=r"matches none of this model.*`trainable_pattern`"):
        train("rmu", settings={"layer": 1, "trainable_pattern": "no_such_weight"})


@pytest.mark.parametrize("kind", ["full", "new", "continued"])
def test_before_the_first_step_a_half_precision_model_is_its_own_reference(
    kind: str, train: Train, fresh: Any, lora: LoraSettings
) -> None:
    """What casts the trained model's forward pass must cast the reference's, too."""
    model = fresh.bfloat16()
    if kind == "continued":
        model = continued(model)
    folder = train("npo-kl", model=model, lora=lora if kind == "new" else None, epochs=1)
    first = json.loads((folder / "training.json").read_text())["history"][0]
    assert first["term_forget"] == pytest.approx(2 * math.log(2) / 0.1, rel=1e-7)
    assert first["term_kl"] == pytest.approx(0, abs=1e-9)


def test_the_benchmark_of_costs_casts_as_the_training_does(fresh: Any, tiny_tokenizer: Any) -> None:
    ready = prepared(fresh.bfloat16(), "full")
    _cast_as_in_training(ready)
    step = Step(ready.model, {"forget": batch(tiny_tokenizer)}, ready.reference)
    logits = step.logits("forget")
    assert logits.dtype == torch.float32
    assert torch.equal(logits, logits.bfloat16().float())  # computed in bfloat16, widened afterwards
    assert torch.equal(logits, step.reference_logits("forget").float())


def test_ssd_dampens_a_models_own_adapter_but_no_new_one(train: Train, fresh: Any, lora: LoraSettings) -> None:
    with pytest.raises(ConfigError, match="nothing to dampen"):
        train("ssd", lora=lora)
    start = continued(fresh)
    before = {name: weight.detach().clone() for name, weight in start.named_parameters()}
    train("ssd", model=start, settings={"alpha": 1.0, "dampening": 0.5})
    changed = {name for name, weight in start.named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert all("lora" in name for name in changed)


def test_ssd_measures_without_dropout_and_one_example_at_a_time(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int]] = []

    def edit(self: Any, model: Any, forget: Any, retain: Any) -> dict[str, float]:
        modes = any(module.training for module in model.modules())
        seen.extend((modes, len(found.input_ids)) for found in [*forget, *retain])
        return {}

    monkeypatch.setattr(type(make_method("ssd")), "edit", edit)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=400, n_embd=32, n_layer=1, n_head=2, n_positions=256)).train()
    train("ssd", model=model)
    assert seen == [(False, 1)] * (len(FORGET) + 4)
