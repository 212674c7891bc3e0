"""Parts of artifacts, as a fit records them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unlearned.artifact import Artifact
from unlearned.artifact.schema import (
    CalibrationRecord,
    CandidateRecord,
    EvaluationRecord,
    MeasureRecord,
    StrengthRecord,
)


def calibration(**more: Any) -> CalibrationRecord:
    values: dict[str, Any] = {
        "method": "min FPR+FNR, leave-one-out",
        "threshold": 0.5,
        "forget_count": 40,
        "negative_count": 160,
        "missed": 3,
        "flagged": 2,
        "fnr_interval": (0.0157, 0.2039),
        "fpr_interval": (0.0015, 0.0444),
        "data_sha256": "0" * 64,
    }
    return CalibrationRecord(**(values | more))


def evaluation(parameter: float, value: float, **more: Any) -> EvaluationRecord:
    values: dict[str, Any] = {
        "parameter": parameter,
        "value": value,
        "distance": value,
        "gap": -value,
        "error": 0.1 + 0.2,
        "penalty": 0.0,
        "per_item": None,
        "degenerate": 0.25,
        "perplexity": 8.125,
        "values": {"likelihood": -3.2, "truth_ratio": 1 / 3},
        "seconds": 0.5,
    }
    return EvaluationRecord(**(values | more))


def strength(**more: Any) -> StrengthRecord:
    chosen = evaluation(2.5, 0.04, per_item=0.3)
    other = evaluation(7.0, 0.4, perplexity=None)
    values: dict[str, Any] = {
        "measures": [
            MeasureRecord(name="likelihood", plain=-0.75, surrogate=-3.25, found=-3.2),
            MeasureRecord(name="truth_ratio", plain=-4.0, surrogate=0.5, found=1 / 3),
        ],
        "surrogate": "unrelated",
        "optimiser": "bracketing",
        "examples": 40,
        "chosen": chosen,
        "reference_perplexity": 7.5,
        "trace": [evaluation(1.0, 0.9), chosen],
        "candidates": [
            CandidateRecord(
                function="rand_noise_first_n", selector="spans", chosen=chosen, pareto=True, evaluations=12
            ),
            CandidateRecord(function="semantic", selector="attribution", chosen=other, pareto=False, evaluations=9),
        ],
    }
    return StrengthRecord(**(values | more))


def detector(artifact: Artifact) -> Artifact:
    scopes = tuple(replace(scope, corruption=None) for scope in artifact.scopes)
    return replace(artifact, scopes=scopes, base_model=None)
