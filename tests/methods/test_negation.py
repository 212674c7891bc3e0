"""The start model, and from there the other way."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from method_rows import FORGET, Train
from safetensors.torch import load_file
from small_steps import continued
from transformers import AutoModelForCausalLM

from unlearned.errors import ConfigError
from unlearned.methods.config import LoraSettings
from unlearned.methods.negation import negate_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


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
