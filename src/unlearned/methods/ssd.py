"""Weights that matter more for the forget set than for the rest are dampened, once, without training.

Source: SSD (Foster et al. 2024), arXiv:2308.07707. Importances are squared gradients of single examples, in
float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from unlearned.errors import ConfigError, DataError
from unlearned.methods.base import Method, Recipe, not_negative, positive
from unlearned.methods.data import Batch, Stream
from unlearned.methods.losses import cross_entropy


@dataclass(frozen=True, kw_only=True, slots=True)
class SSD(Method):
    """Acts on all weights, or on an adapter that the model has already: a new one is zero and has nothing to dampen."""

    summary: ClassVar[str] = "selective synaptic dampening, without training"
    paper: ClassVar[str] = "SSD, arXiv:2308.07707"
    formula: ClassVar[str] = "w <- min(lambda I_R / I_F, 1) w where I_F > alpha I_R"
    recipe: ClassVar[Recipe] = Recipe()
    trains = False

    alpha: float = 10.0
    """A weight is chosen if its forget importance is so many times the other; language models need 0.1 to 5."""

    dampening: float = 1.0
    """lambda."""

    def __post_init__(self) -> None:
        positive(self, "alpha")
        not_negative(self, "dampening")

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("forget", "retain")

    def edit(self, model: Any, forget: Iterable[Batch], retain: Iterable[Batch]) -> dict[str, float]:
        """Dampen; records the share of weights that were chosen."""
        weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        b_of_lora = [weight for name, weight in weights.items() if ".lora_B." in name]
        if b_of_lora and not any(bool(weight.any()) for weight in b_of_lora):
            raise ConfigError("A new adapter has nothing to dampen. Leave out --lora, or give a model with an adapter.")
        of_forget, of_retain = importances(model, weights, forget), importances(model, weights, retain)
        chosen = 0
        for name, weight in weights.items():
            chosen += dampen(weight, of_forget[name], of_retain[name], self.alpha, self.dampening)
        return {"dampened_share": chosen / sum(weight.numel() for weight in weights.values())}


def importances(model: Any, weights: dict[str, Tensor], batches: Iterable[Batch]) -> dict[str, Tensor]:
    """Per weight the mean over batches of the squared gradient of the cross-entropy, float32."""
    found = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in weights.items()}
    count = 0
    for batch in batches:
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
        gradients = torch.autograd.grad(cross_entropy(logits, batch.labels), list(weights.values()), allow_unused=True)
        for name, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                found[name] += gradient.float() ** 2
        count += 1
    if not count:
        raise DataError("There is nothing to measure importances on.")
    return {name: value / count for name, value in found.items()}


@torch.no_grad()
def dampen(weight: Tensor, forget: Tensor, retain: Tensor, alpha: float, dampening: float) -> int:
    """Change `weight` in place where it matters for the forget set; returns how many entries were chosen.

    Args:
        weight: of any shape.
        forget: importances for the forget set, of the same shape.
        retain: importances for the rest.
        alpha: threshold of the ratio.
        dampening: lambda.
    """
    chosen = forget > alpha * retain
    factor = (dampening * retain[chosen] / forget[chosen]).clamp(max=1)
    weight[chosen] = (weight[chosen].float() * factor).to(weight.dtype)
    return int(chosen.sum())
