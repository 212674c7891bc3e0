"""A made-up run of every kind that the report has to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_run import make_run, strength
from seeds import UNLEARNERS

from unlearned.artifact.schema import CalibrationRecord
from unlearned.corrupt.corruption import Corruption


@pytest.fixture
def run_folder(tmp_path: Path, make_scope: Any, make_artifact: Any) -> Any:
    """(name, **of make_run) -> folder of a run with its artifacts."""

    def make(name: str = "run", **options: Any) -> Path:
        folder = tmp_path / name
        results = make_run(folder, **options)
        calibration = CalibrationRecord(
            method="min FPR+FNR", threshold=0.5, forget_count=8, negative_count=12, missed=1, flagged=0,
            fnr_interval=(0.0, 0.5), fpr_interval=(0.0, 0.3), data_sha256="0" * 64,
        )  # fmt: skip
        for model in results["models"]:
            own = model["unlearner"] or ""
            if not own.startswith("eco"):
                continue
            place = folder / "artifacts" / f"seed{model['seed']}"
            scope = make_scope("tofu", corruption=Corruption(strength=8.0, embedding_std=0.02))
            detector = replace(make_artifact(scope), calibrations={"tofu": calibration})
            detector.save_pretrained(place / "detector")
            replace(
                detector, strengths={} if own == "eco-hand" else {"tofu": strength(auto=own == "eco-auto")}
            ).save_pretrained(place / own)
        return folder

    return make


@pytest.fixture
def three_seeds(tmp_path: Path) -> Path:
    make_run(tmp_path / "run", unlearners=UNLEARNERS, seeds=3, forget=20)
    return tmp_path / "run"
