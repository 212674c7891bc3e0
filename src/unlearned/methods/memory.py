"""About how much memory a run takes, said before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch

from unlearned.engines.injection import inner_model
from unlearned.engines.transformers import embedding_rows

GB = 1e9
ACTIVATIONS = 24
"""Numbers kept per token, layer and hidden unit for the backward pass: attention, norms, an MLP four times as wide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryEstimate:
    """Bytes on one device, without what sharding saves. Activations are a rough figure, the rest is counted."""

    weights: int
    reference: int
    """Bytes of a copy of the start model, or of an adapter's start values."""

    gradients_and_optimiser: int
    activations: int
    loaded: int
    """Bytes of weights and reference that are on the device already."""

    free: int | None
    """What the device has left beside what is loaded; None where it does not say."""

    @property
    def more(self) -> int:
        """What is needed beyond what is loaded."""
        return self.weights + self.reference - self.loaded + self.gradients_and_optimiser + self.activations

    @property
    def fits(self) -> bool:
        return self.free is None or self.more <= self.free

    def __str__(self) -> str:
        free = (
            ""
            if self.free is None
            else f"; {self.free / GB:.1f} GB are free{' beside what is loaded' if self.loaded else ''}"
        )
        return (
            f"Memory, about: weights {self.weights / GB:.2f} GB, reference {self.reference / GB:.2f} GB, gradients and "
            f"optimiser {self.gradients_and_optimiser / GB:.2f} GB, activations {self.activations / GB:.2f} GB{free}"
        )


def estimate_memory(
    model: Any,
    *,
    reference: int,
    tokens: int,
    passes: int,
    checkpointing: bool,
    trains: bool = True,
    device: torch.device | None = None,
) -> MemoryEstimate:
    """Estimate for a model whose trainable weights are marked.

    Args:
        model: loaded, with its adapter if it has one.
        reference: bytes of the reference, which lies where the model does.
        tokens: of one forward pass: sequences times the longest.
        passes: forward passes whose graphs live at the same time.
        checkpointing: whether activations are computed anew instead of kept.
        trains: False: gradients, but no optimiser.
        device: where it is to be trained; None: where it is.
    """
    device = device or next(model.parameters()).device
    config = inner_model(model).config.get_text_config()
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    size = min(torch.finfo(model.dtype).bits // 8, 4)
    layers = int(getattr(config, "num_hidden_layers", 1) or 1)
    width = int(getattr(config, "hidden_size", 0) or 0)
    kept = layers * width * (2 if checkpointing else ACTIVATIONS) * size
    sizes = [(weight.device, weight.numel() * weight.element_size()) for weight in model.parameters()]
    loaded = sum(size for place, size in sizes if _same(place, device))
    weights = sum(size for _, size in sizes)
    logits = 3 * embedding_rows(model) * 4  # logits, their logarithm and the gradient
    return MemoryEstimate(
        weights=weights,
        reference=reference,
        gradients_and_optimiser=trained * (12 if trains else 8),  # float32; Adam's two moments, or two importances
        activations=tokens * passes * (kept + logits),
        loaded=loaded + (reference if loaded == weights else 0),
        free=_free(device),
    )


def _same(first: torch.device, second: torch.device) -> bool:
    """Whether these are one device; without a number it is the first."""
    return (first.type, first.index or 0) == (second.type, second.index or 0)


def _free(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type not in ("cpu", "mps"):
        return None
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None
