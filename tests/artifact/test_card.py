"""The card says what the record says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from artifact_parts import calibration, detector, strength

from unlearned.artifact.record import CARD
from unlearned.corrupt.corruption import Corruption


def test_the_card_of_a_detector_names_no_model(make_artifact: Any, tmp_path: Path) -> None:
    text = (detector(make_artifact()).save_pretrained(tmp_path / "hp") / CARD).read_text()
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
        make_artifact(*scopes), calibrations={"harry-potter": calibration()}, strengths={"harry-potter": strength()}
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
