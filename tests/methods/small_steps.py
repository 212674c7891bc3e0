"""Methods on a tiny model, a step at a time."""

from __future__ import annotations

from typing import Any

import peft
import torch
from method_rows import FORGET, encoded

from unlearned.methods.config import LoraSettings
from unlearned.methods.data import Batch
from unlearned.methods.registry import make_method
from unlearned.methods.weights import Prepared, prepare_weights

LORA = LoraSettings(rank=2, alpha=4, dropout=0.3)


NPO_ALL = make_method("npo-kl", {"retain_weight": 1.0})


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
