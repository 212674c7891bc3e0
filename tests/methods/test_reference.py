"""The start model under full weights, a new adapter and a continued one; and what is left of it afterwards."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from method_rows import FORGET, Train, encoded, loss_of
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from bench.methods.run import _cast_as_in_training
from unlearned.errors import ConfigError
from unlearned.methods.computing import computes_in, trains_on
from unlearned.methods.config import LoraSettings
from unlearned.methods.data import Batch
from unlearned.methods.memory import estimate_memory
from unlearned.methods.negation import negate_weights
from unlearned.methods.reference import AdapterOff, AdapterStart, FrozenCopy
from unlearned.methods.registry import make_method
from unlearned.methods.step import Step
from unlearned.methods.weights import Prepared, prepare_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]

LORA = LoraSettings(rank=2, alpha=4, dropout=0.3)
NPO_ALL = make_method("npo-kl", {"retain_weight": 1.0})


@pytest.fixture
def dropping(tiny_model: Any) -> Any:
    """A model with dropout of its own, as OPT and GPT-2 have it."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=400, n_embd=32, n_layer=2, n_head=2, n_positions=256, resid_pdrop=0.5, embd_pdrop=0.5
    )
    return GPT2LMHeadModel(config).eval()


def continued(model: Any) -> Any:
    """The model with an adapter that is not at zero."""
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=4, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.05, generator=torch.Generator().manual_seed(len(name)))
    return wrapped


def prepared(model: Any, kind: str, method: Any = NPO_ALL) -> Prepared:
    if kind == "continued":
        model = continued(model)
    return prepare_weights(model, method, LORA if kind == "new" else None, checkpointing=False)


def batch(tokenizer: Any) -> Batch:
    return Batch(**encoded(tokenizer, FORGET))


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


@pytest.mark.parametrize("name", ["ga", "npo-gd", "task-vector"])
def test_a_models_own_adapter_is_trained_further(
    name: str, train: Train, fresh: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    start = continued(copy.deepcopy(fresh))
    start.save_pretrained(tmp_path / "start")
    folder = train(name, model=start, learning_rate=1e-2)
    first, last = (peft.PeftModel.from_pretrained(copy.deepcopy(fresh), path) for path in (tmp_path / "start", folder))
    assert loss_of(last, tiny_tokenizer, FORGET) > loss_of(first, tiny_tokenizer, FORGET) + 0.1


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("kind", ["full", "new", "continued"])
def test_a_task_vector_is_walked_back_exactly(
    kind: str, scale: float, train: Train, fresh: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    """Start - scale * (tuned - start), from the run that tunes alone: fine-tuning on the forget rows as retain rows."""

    def start() -> Any:
        return continued(copy.deepcopy(fresh)) if kind == "continued" else copy.deepcopy(fresh)

    options: dict[str, Any] = {"lora": LoraSettings(rank=2, alpha=4, dropout=0.0) if kind == "new" else None}
    options |= {"schedule": "linear", "learning_rate": 1e-2, "epochs": 2}
    tuned = train("ft", "tuned", model=start(), retain=FORGET, **options)
    negated = train("task-vector", "negated", model=start(), settings={"scale": scale}, **options)

    def merged(folder: Path) -> dict[str, torch.Tensor]:
        if kind == "full":
            return dict(AutoModelForCausalLM.from_pretrained(folder).state_dict())
        return dict(peft.PeftModel.from_pretrained(copy.deepcopy(fresh), folder).merge_and_unload().state_dict())

    before = start().merge_and_unload().state_dict() if kind == "continued" else fresh.state_dict()
    after, found = merged(tuned), merged(negated)
    assert any((after[name] - before[name]).abs().max() > 1e-3 for name in before)
    for name in before:
        expected = before[name] - scale * (after[name] - before[name])
        assert torch.allclose(found[name], expected, atol=1e-5), name


def test_an_adapter_that_cannot_be_negated_is_refused_before_the_training(train: Train, fresh: Any) -> None:
    scaled = peft.LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", use_rslora=True)
    lines: list[str] = []
    with pytest.raises(ConfigError, match="plain LoRA"):
        train("task-vector", model=peft.get_peft_model(fresh, scaled), tell=lines.append)
    assert not lines


@pytest.mark.parametrize("odd", [{"target_modules": ["q_proj", "embed_tokens"]}, {"bias": "lora_only"}])
def test_other_parts_of_an_adapter_are_found_before_the_training(odd: dict[str, Any], train: Train, fresh: Any) -> None:
    config = peft.LoraConfig(**{"r": 2, "lora_alpha": 4, "target_modules": "all-linear", **odd})
    lines: list[str] = []
    with pytest.raises(ConfigError, match="plain LoRA"):
        train("task-vector", model=peft.get_peft_model(copy.deepcopy(fresh), config), tell=lines.append)
    with pytest.raises(ConfigError, match=r"plain LoRA.*lora_embedding"):
        train("sku", "other", lora=LoraSettings(targets="q_proj,embed_tokens"), tell=lines.append)
    assert not lines


def test_negation_of_a_half_precision_model_is_exact(fresh: Any) -> None:
    """In float32, whatever the weights are: start - scale * difference, rounded once at the end."""
    before = copy.deepcopy(fresh).bfloat16()
    after = copy.deepcopy(before)
    with torch.no_grad():
        for number, weight in enumerate(after.parameters()):
            weight.add_(0.003 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)).bfloat16())
    tuned = {name: weight.detach().clone() for name, weight in after.named_parameters()}
    negate_weights(after, before, 1.7)
    start = dict(before.named_parameters())
    for name, weight in after.named_parameters():
        exact = start[name].double() - 1.7 * (tuned[name].double() - start[name].double())
        assert weight.dtype == torch.bfloat16
        assert torch.equal(weight, exact.float().bfloat16()), name


def test_a_half_precision_task_vector_keeps_its_type(train: Train, fresh: Any) -> None:
    folder = train("task-vector", model=copy.deepcopy(fresh).bfloat16(), settings={"scale": 2.0}, learning_rate=1e-3)
    found = load_file(folder / "model.safetensors")
    assert {weight.dtype for weight in found.values()} == {torch.bfloat16}


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


def test_a_quantised_model_needs_an_adapter(fresh: Any) -> None:
    fresh.is_quantized = True
    with pytest.raises(ConfigError, match="--lora"):
        prepare_weights(fresh, make_method("ga"), None, checkpointing=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_gradients_through_4_bit_weights_are_right_after_a_reference_pass(tmp_path: Path, tiny_tokenizer: Any) -> None:
    """bitsandbytes repacks weights on some CPUs in eval mode, and then passes wrong gradients; see `weights.py`."""
    pytest.importorskip("bitsandbytes")
    from unlearned.models import ModelOptions, load_model

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, initializer_range=0.1,
    )  # fmt: skip
    LlamaForCausalLM(config).bfloat16().save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    data = batch(tiny_tokenizer)

    def gradients(model: Any) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        lora = LoraSettings(rank=4, alpha=8, dropout=0.0)
        ready = prepare_weights(model, NPO_ALL, lora, checkpointing=False)
        with torch.no_grad():
            for name, weight in ready.model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=0.05, generator=torch.Generator().manual_seed(len(name)))
        ready.model.train()
        step = Step(ready.model, {"forget": data}, ready.reference)
        step.reference_logits("forget")
        step.ce("forget").backward()
        return {name: w.grad.float() for name, w in ready.model.named_parameters() if w.grad is not None}

    options = ModelOptions(model=str(tmp_path), load_in_4bit=True, device="cpu")
    quantised = gradients(load_model(options)[0])
    model: Any = load_model(options)[0]
    plain = gradients(model.dequantize().float().requires_grad_(False))
    assert quantised.keys() == plain.keys() != set()
    for name in plain:
        assert torch.cosine_similarity(quantised[name].flatten(), plain[name].flatten(), dim=0) > 0.99, name


@pytest.mark.parametrize("kind", ["full", "new"])
def test_the_memory_estimate_counts_weights_gradients_and_moments(kind: str, fresh: Any) -> None:
    ready = prepared(fresh, kind)
    trained = sum(w.numel() for w in ready.model.parameters() if w.requires_grad)
    found = estimate_memory(ready.model, reference=ready.reference_bytes, tokens=100, passes=2, checkpointing=False)
    assert found.weights == sum(w.numel() * 4 for w in ready.model.parameters())
    assert found.gradients_and_optimiser == 12 * trained
    assert found.reference == (found.weights if kind == "full" else 0)
    double = estimate_memory(ready.model, reference=0, tokens=200, passes=2, checkpointing=False)
    assert double.activations == 2 * found.activations
    assert estimate_memory(ready.model, reference=0, tokens=10**12, passes=1, checkpointing=True).fits is False


def test_the_memory_estimate_is_of_the_device_that_will_be_used(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are loaded on the CPU, and go to the accelerator with the reference when the training begins."""
    ready = prepared(fresh, "full")
    sizes: dict[str, Any] = {"tokens": 10, "passes": 1, "checkpointing": False, "reference": ready.reference_bytes}
    here = estimate_memory(ready.model, **sizes)
    assert here.loaded == here.weights + here.reference
    assert here.more == here.gradients_and_optimiser + here.activations
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000 + device.index, 5000))
    there = estimate_memory(ready.model, **sizes, device=torch.device("cuda", 1))
    assert (there.free, there.loaded) == (1001, 0)
    assert there.more == here.more + here.weights + here.reference
    assert (estimate_memory(ready.model, **sizes, device=torch.device("cpu")).free or 0) > 10**6


def test_a_training_takes_the_accelerator_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    assert trains_on("auto", 2) == torch.device("cuda", 2)
    assert trains_on("cpu", 2) == torch.device("cpu")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)
    assert trains_on("auto") == torch.device("cpu")
    assert computes_in(torch.float16, accelerated=False) == torch.float32
    assert computes_in(torch.float16, accelerated=True) == torch.float16
    assert computes_in(torch.bfloat16, accelerated=False) == torch.bfloat16
