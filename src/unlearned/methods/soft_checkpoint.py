"""Where an unfinished training of a soft prompt stands, so that a killed one goes on to the same vectors."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unlearned.checkpoints import claim
from unlearned.errors import DataError
from unlearned.files import write_bytes

OF, STATE = "checkpoints_of.json", "state.safetensors"
SECONDS = 60.0
"""Between checkpoints."""

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each weight, beside the number of steps."""


class SoftCheckpoint:
    """The folder of one unfinished training.

    Args:
        folder: where; None keeps nothing.
        fingerprint: of data, model and settings; what was kept for others is deleted, with a warning.

    Raises:
        ConfigError: the folder holds something else.
        DataError: it cannot be written.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.folder = folder
        self._kept_at = time.monotonic()
        if folder is None:
            return
        try:
            claim(
                folder / OF,
                fingerprint,
                foreign=f"{folder} exists and holds no checkpoints of a training. Move it, or choose another --out.",
                stale=f"{folder} holds the checkpoints of a training with other data or settings. They are deleted.",
            )
        except OSError as error:
            raise DataError(f"Cannot write to {folder}: {error.strerror}.") from error

    def restore(self, encoder: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
        """Put weights and optimiser where they stood; gives the loss of every step that was done."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        if self.folder is None or not (self.folder / STATE).is_file():
            return []
        weights = dict(encoder.named_parameters())
        try:
            kept = load((self.folder / STATE).read_bytes())
            losses: list[float] = kept["losses"].tolist()
            found = {name: [kept[name], *(kept[f"{moment}/{name}"] for moment in MOMENTS)] for name in weights}
        except (OSError, SafetensorError, KeyError):
            return []  # damaged: from the start
        if any(one.shape != weights[name].shape for name, own in found.items() for one in own):
            return []
        for name, (value, *moments) in found.items():
            weight = weights[name]
            weight.data.copy_(value)
            state = {moment: one.to(weight.device) for moment, one in zip(MOMENTS, moments, strict=True)}
            optimizer.state[weight] = {"step": torch.tensor(float(len(losses))), **state}
        return losses

    def keep(self, encoder: nn.Module, optimizer: torch.optim.Optimizer, losses: Sequence[float]) -> None:
        """Remember how far it is, unless that was done a moment ago.

        Raises:
            DataError: it cannot be written.
        """
        from safetensors.torch import save

        if self.folder is None or time.monotonic() - self._kept_at < SECONDS:
            return
        state: dict[str, Tensor] = {"losses": torch.tensor(losses, dtype=torch.float64)}
        for name, weight in encoder.named_parameters():
            state[name] = weight.detach().cpu().contiguous()
            state |= {f"{moment}/{name}": optimizer.state[weight][moment].cpu().contiguous() for moment in MOMENTS}
        try:
            write_bytes(self.folder / STATE, save(state))
        except OSError as error:
            raise DataError(f"Cannot write to {self.folder}: {error.strerror}.") from error
        self._kept_at = time.monotonic()


def fingerprint(config: Any, weights_sha256: str, rows_sha256: Sequence[str]) -> str:
    """SHA-256 of what decides the vectors; `config` is a dataclass of JSON values."""
    return hashlib.sha256(
        json.dumps([asdict(config), weights_sha256, *rows_sha256], sort_keys=True).encode()
    ).hexdigest()
