"""Task arithmetic: result = start - scale * (trained - start), for all weights or for an adapter.

Source: Ilharco et al. 2023, "Editing Models with Task Arithmetic", arXiv:2212.04089.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.files import write_bytes, write_text

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@torch.no_grad()
def negate_weights(model: Any, start: Any, scale: float) -> None:
    """Change the trained model in place.

    Args:
        model: after the training.
        start: the same model before it.
        scale: how far to go beyond the start, away from what was learned.
    """
    before = dict(start.named_parameters())
    for name, weight in model.named_parameters():
        if weight.is_floating_point():
            first = before[name].to(weight.device).float()  # in float32: a difference in bfloat16 has few digits left
            weight.copy_(first - scale * (weight.float() - first))


def check_plain(adapter: Any) -> None:
    """Raise `ConfigError` unless a PEFT configuration is LoRA of one rank and scale, which can be negated."""
    odd = ("rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "modules_to_save", "lora_bias")
    plain = str(getattr(adapter, "peft_type", "")).rpartition(".")[2] == "LORA"
    if not plain or any(getattr(adapter, n, None) for n in odd) or getattr(adapter, "bias", "none") != "none":
        raise ConfigError("Only plain LoRA, of one rank and scale, can be negated. Give a model without this adapter.")


def check_parts(names: Iterable[str]) -> None:
    """Raise `ConfigError` unless an adapter's weights, named as in its file, are A and B and nothing else."""
    if unknown := next((name for name in names if not name.endswith((".lora_A.weight", ".lora_B.weight"))), None):
        raise ConfigError(f"Only plain LoRA can be negated, and the adapter has {unknown!r}. Train without it.")


def negate_adapter(folder: Path, start: Mapping[str, Tensor] | None, scale: float) -> None:
    """Change a saved LoRA adapter.

    A new adapter started from no change at all, so its B is scaled by -scale. One that continues another becomes
    (1 + scale) * first - scale * trained, of twice the rank, and exact.

    Args:
        folder: of the trained adapter.
        start: A and B of each module before the training, named as in the file; None for a new adapter.
        scale: as above.

    Raises:
        ConfigError: the adapter has other parts than A and B.
    """
    from safetensors.torch import load_file, save

    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    trained = load_file(folder / WEIGHTS)
    check_parts(trained)
    result: dict[str, Tensor] = {}
    for name, weight in trained.items():
        is_b = name.endswith(".lora_B.weight")
        if start is None:
            result[name] = -scale * weight if is_b else weight
        else:
            first = start[name].to(weight).cpu()
            parts = ((1 + scale) * first, -scale * weight) if is_b else (first, weight)
            result[name] = torch.cat(parts, dim=1 if is_b else 0)
    if start is not None:
        config["r"], config["lora_alpha"] = 2 * config["r"], 2 * config["lora_alpha"]
        write_text(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")
    write_bytes(
        folder / WEIGHTS, save({name: weight.contiguous() for name, weight in result.items()}, {"format": "pt"})
    )
