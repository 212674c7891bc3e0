"""The card says what the record says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unlearned.artifact import Artifact
from unlearned.artifact.record import CARD
from unlearned.artifact.schema import (
    CalibrationRecord,
    CandidateRecord,
    EvaluationRecord,
    MeasureRecord,
    StrengthRecord,
)
from unlearned.corrupt.corruption import Corruption


@pytest.fixture
def saved(make_artifact: Any, tmp_path: Path) -> Path:
    folder: Path = make_artifact().save_pretrained(tmp_path / "hp")
    return folder


def _calibration(**more: Any) -> CalibrationRecord:
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


def _evaluation(parameter: float, value: float, **more: Any) -> EvaluationRecord:
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


def _strength(**more: Any) -> StrengthRecord:
    chosen = _evaluation(2.5, 0.04, per_item=0.3)
    other = _evaluation(7.0, 0.4, perplexity=None)
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
        "trace": [_evaluation(1.0, 0.9), chosen],
        "candidates": [
            CandidateRecord(
                function="rand_noise_first_n", selector="spans", chosen=chosen, pareto=True, evaluations=12
            ),
            CandidateRecord(function="semantic", selector="attribution", chosen=other, pareto=False, evaluations=9),
        ],
    }
    return StrengthRecord(**(values | more))


def _detector(artifact: Artifact) -> Artifact:
    scopes = tuple(replace(scope, corruption=None) for scope in artifact.scopes)
    return replace(artifact, scopes=scopes, base_model=None)


def test_the_card_of_a_detector_names_no_model(make_artifact: Any, tmp_path: Path) -> None:
    text = (_detector(make_artifact()).save_pretrained(tmp_path / "hp") / CARD).read_text()
    assert "base_model:" not in text
    assert "its strength has still to be learned" in text
    assert "| base model | none yet |" in text
    assert "None" not in text


def test_the_card_names_scopes_and_numbers(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    scopes = (
        make_scope("harry-potter", corruption=Corruption(strength=2.5, embedding_std=0.02), threshold=0.4321),
        make_scope("lotr", corruption=Corruption(function="zero_out_top_k", dims=17), selector="all_but_last"),
    )
    artifact = replace(
        make_artifact(*scopes), calibrations={"harry-potter": _calibration()}, strengths={"harry-potter": _strength()}
    )
    text = (artifact.save_pretrained(tmp_path / "x") / CARD).read_text()
    for part in (
        "# Unlearning artifact: `harry-potter`, `lotr`",
        "library_name: unlearned",
        "base_model: tiny",
        "threshold 0.4321",
        "3 of 40 (95 %: 1.57% to 20.39%)",
        "2 of 160 (95 %: 0.15% to 4.44%)",
        "rand_noise_first_n, strength 2.5 (embedding_std), all dimensions, on `spans`",
        "zero_out_top_k, 17 dimensions, on `all_but_last`",
        "| likelihood | -0.750 without corruption, -3.250 expected",
        "| truth_ratio | -4.000 without corruption, 0.500 expected",
        "| distance that remains | 4% |",
        "| answers | perplexity 8.1 (7.5 about invented subjects without corruption), 25% empty or repeating |",
        "embeddings of size 32",
        "`bag-of-words`",
        "load(",
    ):
        assert part in text, part
    assert text.startswith("---\n")
    assert "73" * 32 not in text  # the secret


def test_the_card_of_an_artifact_without_records_has_no_numbers_made_up(saved: Path) -> None:
    text = (saved / CARD).read_text()
    assert "calibration" not in text
    assert "expected of a model" not in text
    assert "None" not in text
