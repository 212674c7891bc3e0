"""How TOFU is asked here: short, on a model that learns nothing."""

from __future__ import annotations

from unlearned.benchmarks.tofu.config import EvaluationConfig, FinetuneConfig

SHORT = EvaluationConfig(max_new_tokens=6, batch_size=4, recheck=2, pairs=2)


TRAINING = FinetuneConfig(epochs=1, batch_size=8, rank=2, alpha=4)
