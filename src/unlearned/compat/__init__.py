"""Does the injection work on every causal language model that transformers knows? Checked on a tiny one of each."""

from __future__ import annotations

from unlearned.compat.check import CompatCheck, Status, TypeResult, check_model, check_type
from unlearned.compat.run import run_all
from unlearned.compat.tiny import model_types, tiny_config, tiny_model

__all__ = [
    "CompatCheck",
    "Status",
    "TypeResult",
    "check_model",
    "check_type",
    "model_types",
    "run_all",
    "tiny_config",
    "tiny_model",
]
