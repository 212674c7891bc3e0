"""Which weights are trained, and what the start model is afterwards."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from method_rows import FORGET, Train, loss_of
from small_steps import NPO_ALL, batch, continued
from transformers import LlamaConfig, LlamaForCausalLM

from unlearned.errors import ConfigError
from unlearned.methods.config import LoraSettings
from unlearned.methods.registry import make_method
from unlearned.methods.step import Step
from unlearned.methods.weights import prepare_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


@pytest.mark.parametrize("name", ["ga", "npo-gd", "task-vector"])
def test_a_models_own_adapter_is_trained_further(
    name: str, train: Train, fresh: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    start = continued(copy.deepcopy(fresh))
    start.save_pretrained(tmp_path / "start")
    folder = train(name, model=start, learning_rate=1e-2)
    first, last = (peft.PeftModel.from_pretrained(copy.deepcopy(fresh), path) for path in (tmp_path / "start", folder))
    assert loss_of(last, tiny_tokenizer, FORGET) > loss_of(first, tiny_tokenizer, FORGET) + 0.1


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
