"""On which device and in which type a training computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch


def trains_on(wanted: Literal["auto", "cpu"], local_process: int = 0) -> torch.device:
    """Where the Trainer will move the model.

    Args:
        wanted: as `TrainConfig` says it; auto: the accelerator, if there is one.
        local_process: counted from 0 on this machine; each takes a device of its own.
    """
    if wanted == "cpu" or (found := torch.accelerator.current_accelerator(check_available=True)) is None:
        return torch.device("cpu")
    return torch.device(found.type, local_process)


def computes_in(dtype: torch.dtype, *, accelerated: bool) -> torch.dtype:
    """What a model that was loaded in `dtype` computes in while it is trained: float16 needs an accelerator."""
    return torch.float32 if dtype == torch.float16 and not accelerated else dtype


def casting(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """In it, weights in float32 compute in `dtype`; nothing changes if that is float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
