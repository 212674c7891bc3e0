"""Which hooks a model has; transformers leaves its own where it recorded states, so compare with before."""

from __future__ import annotations

from torch import nn


def hooks(model: nn.Module) -> set[int]:
    """The ids of the forward hooks of all modules; torch never gives an id twice."""
    return {hook for module in model.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)}
