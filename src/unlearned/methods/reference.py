"""The frozen start model that many losses compare with.

It is in evaluation mode and has no gradient. Where an adapter makes it unnecessary, there is no second copy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.extras import require
from unlearned.methods.computing import casting


class FrozenCopy:
    """For training all weights: a copy of the model, made before the first step.

    Attributes:
        model: the copy.
        computes_in: what the trained model's own forward pass is cast to. The copy must do the same, or the two differ
            before the first step.
    """

    def __init__(self, model: Any) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.computes_in = torch.float32

    @contextmanager
    def active(self, model: Any) -> Iterator[Any]:
        """Yields the model to call, on the device of the one that is trained."""
        device = next(model.parameters()).device
        if next(self.model.parameters()).device != device:
            self.model.to(device)
        with torch.no_grad(), casting(device, self.computes_in):
            yield self.model


class AdapterOff:
    """For a new adapter: the model itself with the adapter switched off."""

    @contextmanager
    def active(self, model: Any) -> Iterator[Any]:
        peft_model = _unwrapped(model)
        flags = [(weight, weight.requires_grad) for weight in peft_model.parameters()]
        try:
            with torch.no_grad(), evaluating(model), peft_model.disable_adapter():
                yield model
        finally:
            for weight, flag in flags:  # switching it on again makes all of the adapter trainable
                weight.requires_grad_(flag)


class AdapterStart:
    """For an adapter that was there before: its values from the start, put in for the time of a call.

    Args:
        model: the PEFT model, before the first step.
    """

    def __init__(self, model: Any) -> None:
        self.values: dict[str, Tensor] = {
            name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad
        }

    @contextmanager
    def active(self, model: Any) -> Iterator[Any]:
        now = {}
        try:
            for name, weight in _unwrapped(model).named_parameters():
                if name in self.values:
                    # By `.data`, so that a graph that was recorded before finds its own values again afterwards.
                    now[name], weight.data = (weight, weight.data), self.values[name].to(weight.device)
            if len(now) < len(self.values):
                raise ConfigError(
                    "The adapter's weights were renamed or sharded. Train a new adapter, or do not shard."
                )
            with torch.no_grad(), evaluating(model):
                yield model
        finally:
            for weight, data in now.values():
                weight.data = data


Reference = FrozenCopy | AdapterOff | AdapterStart


def _unwrapped(model: Any) -> Any:
    """Without the wrapper of distributed training."""
    return require("accelerate.utils", extra="train", purpose="Training").extract_model_from_parallel(model)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Without dropout for the block: a base model's own is active while its adapter is trained."""
    was = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in was:
            module.training = training
