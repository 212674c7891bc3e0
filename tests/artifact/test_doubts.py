"""A doubt is said where a number is beyond its bound, and not at it."""

from __future__ import annotations

from typing import Any

from unlearned.artifact.doubts import (
    FEW_PROMPTS,
    LEAST_PERPLEXITY,
    MOST_CLOSE_FLAGGED,
    MOST_DEGENERATE,
    MOST_DISTANCE,
    MOST_MISSED,
    doubts,
)
from unlearned.artifact.schema import CalibrationRecord, EvaluationRecord, MeasureRecord, StrengthRecord


def calibration(**more: Any) -> CalibrationRecord:
    own = {
        "method": "errors",
        "threshold": 0.5,
        "forget_count": 40,
        "negative_count": 100,
        "missed": 0,
        "flagged": 0,
        "fnr_interval": (0.0, 0.1),
        "fpr_interval": (0.0, 0.1),
        "data_sha256": "0",
        "close_count": 40,
        "close_flagged": 0,
    }
    return CalibrationRecord(**(own | more))


def strength(reference: float | None = 10.0, **more: Any) -> StrengthRecord:
    own = dict.fromkeys(("parameter", "value", "distance", "gap", "error", "penalty", "degenerate", "seconds"), 0.0)
    chosen = EvaluationRecord(**(own | {"per_item": None, "perplexity": 10.0, "values": {}} | more))
    measure = MeasureRecord(name="facts", plain=1.0, surrogate=0.0, found=0.0)
    return StrengthRecord(
        measures=[measure], surrogate="unrelated", optimiser="bracketing", examples=1, chosen=chosen,
        reference_perplexity=reference, trace=[],
    )  # fmt: skip


def test_nothing_speaks_against_what_is_within_its_bounds() -> None:
    assert doubts(None, None) == doubts(calibration(), strength()) == []
    borders = calibration(
        forget_count=FEW_PROMPTS, missed=MOST_MISSED * FEW_PROMPTS, close_flagged=MOST_CLOSE_FLAGGED * 40
    )
    assert doubts(borders, None) == []
    at = strength(distance=MOST_DISTANCE, degenerate=MOST_DEGENERATE, perplexity=LEAST_PERPLEXITY * 10.0)
    assert doubts(None, at) == []
    assert doubts(calibration(close_count=None, close_flagged=None), strength(reference=None, perplexity=None)) == []


def test_each_bound_has_its_sentence_with_the_number() -> None:
    for c, s, number in (
        (calibration(forget_count=FEW_PROMPTS - 1), None, f"{FEW_PROMPTS - 1} forget prompts"),
        (calibration(missed=5), None, "5 of its own 40"),
        (calibration(close_count=0), None, "without close prompts"),
        (calibration(close_flagged=5), None, "5 of 40"),
        (None, strength(distance=0.21), "21%"),
        (None, strength(degenerate=0.11), "11%"),
        (None, strength(perplexity=4.0), "4.0"),
    ):
        [said] = doubts(c, s)
        assert number in said
    assert len(doubts(calibration(missed=40, close_flagged=40), strength(distance=1.0, degenerate=1.0))) == 4
