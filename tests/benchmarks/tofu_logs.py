"""Logs of TOFU with made-up scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearned.benchmarks.tofu.log import SETS

Raw = dict[str, dict[str, dict[str, Any]]]


def made_up(seed: int = 0, forget: int = 6) -> Raw:
    """A log with every field of the published ones."""
    generator = np.random.default_rng(seed)
    log: Raw = {}
    for name, key in SETS.items():
        count, wrong = (forget if name == "forget" else 4), (5 if name in ("retain", "forget") else 3)
        log[key] = {
            "avg_gt_loss": rows(generator.exponential(size=count)),
            "gt_loss": rows(generator.exponential(size=count)),
            "num_token_gt": rows(generator.integers(1, 30, size=count)),
            "generated_text": rows([[f"Question {i}\n", "some words", f"{name} {i}"] for i in range(count)]),
            "rouge1_recall": rows(generator.uniform(size=count)),
            "rougeL_recall": rows(generator.uniform(size=count)),
            "average_perturb_loss": rows(generator.exponential(size=(count, wrong))),
            "avg_paraphrased_loss": rows(generator.exponential(size=count)),
            "truth_ratio": rows(generator.uniform(size=count)),
            "num_token_paraphrased": rows(generator.integers(1, 30, size=count)),
            "num_token_perturb": rows(generator.integers(1, 30, size=(count, wrong))),
        }
    return log


def rows(values: Any) -> dict[str, Any]:
    values = values.tolist() if isinstance(values, np.ndarray) else values
    return {str(index): value for index, value in enumerate(values)}
