"""Which positions go through the output head: the widest product of a forward pass, and mostly not needed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from unlearned.engines.injection import inner_model


def keep_logits(model: Any, columns: Tensor) -> dict[str, Tensor]:
    """The argument by which only these positions get logits, where the model has it; else nothing.

    As a tensor and not as a number of last positions: the slice that this would take of a batch is not contiguous, and
    on a CPU its product with the head copies the head once per row (5 s for 32 rows on one core, with a head of 49,152
    tokens x 576).
    """
    return {"logits_to_keep": columns} if _takes_it(type(inner_model(model)).forward) else {}


@cache
def _takes_it(forward: Callable[..., Any]) -> bool:
    return "logits_to_keep" in inspect.signature(forward).parameters


def keep_last_logits(model: Any) -> dict[str, Tensor]:
    """Argument for `generate` by which only the last position gets logits.

    The model's own `generate` takes a slice instead, so the last bits may differ.
    """
    return keep_logits(model, torch.tensor([-1], device=model.device))
