"""`training.json`: what was trained, on what, how, and what became of the loss."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from unlearned.engines.injection import inner_model
from unlearned.examples import Row
from unlearned.methods.base import Method
from unlearned.methods.config import TrainConfig

RECORD = "training.json"
FORMAT = 1
PACKAGES = ("unlearned", "torch", "transformers", "peft", "accelerate", "safetensors")


def recipe_record(
    name: str,
    method: Method,
    config: TrainConfig,
    model: Any,
    forget: Sequence[Row],
    retain: Sequence[Row],
    processes: int = 1,
) -> dict[str, Any]:
    """All that decides the result. `model` is the one before it was prepared."""
    settings = asdict(config)
    settings["trainer"] = dict(config.trainer)
    # Several processes take other items in a step, and draw other numbers for dropout.
    shared = {"processes": processes} if method.trains and processes > 1 else {}
    return {
        "format": FORMAT,
        "method": name,
        "settings": asdict(method),
        "config": settings,
        "base": {
            "id": str(getattr(inner_model(model).config, "_name_or_path", "") or "unknown"),
            "weights_sha256": weights_sha256(model),
        },
        "data": {
            "forget": {"rows": len(forget), "sha256": rows_sha256(forget)},
            "retain": {"rows": len(retain), "sha256": rows_sha256(retain)},
        },
        **shared,
    }


def fingerprint(record: dict[str, Any]) -> str:
    """SHA-256 of what decides the result; how it is reported and where it runs do not count."""
    ignored = ("report_to", "logging_steps", "device")
    config = {name: value for name, value in record["config"].items() if name not in ignored}
    base = {"weights_sha256": record["base"]["weights_sha256"]}
    return hashlib.sha256(json.dumps({**record, "config": config, "base": base}, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the packages that took part."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def rows_sha256(rows: Sequence[Row]) -> str:
    """Hash of prompts and answers, in their order."""
    return hashlib.sha256(json.dumps([[row.prompt, row.answer] for row in rows]).encode()).hexdigest()


def weights_sha256(model: Any) -> str:
    """Hash of a model's weights, an adapter's among them: names, shapes, types and the beginning of each."""
    digest = hashlib.sha256()
    for name, weight in sorted(inner_model(model).state_dict().items()):
        if hasattr(weight, "detach"):
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\0".encode())
            digest.update(weight.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()
