"""Fitted unlearners on disk. What only reads their records needs no torch, so the names are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearned.artifact.artifact import Artifact, combined
    from unlearned.artifact.loading import flatten, load
    from unlearned.artifact.record import read_record

_NAMES = {
    "Artifact": "artifact",
    "combined": "artifact",
    "flatten": "loading",
    "load": "loading",
    "read_record": "record",
}

__all__ = ["Artifact", "combined", "flatten", "load", "read_record"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'unlearned.artifact' has no attribute {name!r}")
    return getattr(import_module(f"unlearned.artifact.{_NAMES[name]}"), name)
