"""Whether an artifact fits together, one line per question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearned.artifact import read_record
from unlearned.artifact.fitting import findings, plain_findings
from unlearned.artifact.provenance import made
from unlearned.artifact.record import CARD, Identity
from unlearned.check.config import CheckConfig
from unlearned.examples import Row


def test_inspect_names_a_threshold_and_a_strength_that_are_not_those_of_the_fit(
    make_artifact: Any, tmp_path: Path
) -> None:
    from unlearned.artifact.schema import CalibrationRecord

    artifact = make_artifact()
    calibration = CalibrationRecord(
        method="m", threshold=0.5, forget_count=40, negative_count=9, missed=0, flagged=0, fnr_interval=(0.0, 0.1),
        fpr_interval=(0.0, 0.1), data_sha256="0",
    )  # fmt: skip
    name = artifact.scopes[0].name
    scopes = (replace(artifact.scopes[0], threshold=0.999999),)
    folder = replace(artifact, scopes=scopes, calibrations={name: calibration}).save_pretrained(tmp_path / "forged")
    wrong = [one.text for one in findings(folder, read_record(folder)) if one.holds is False]
    assert wrong == [f"{name}: the threshold 1.0000 is not the calibrated 0.5000"]


def answers(found: Any) -> dict[str, bool | None]:
    """What is asked -> the answer."""
    return {one.text.partition(":")[0]: one.holds for one in found}


def test_a_card_that_somebody_changed_and_one_that_is_missing_are_named(make_artifact: Any, tmp_path: Path) -> None:
    folder = make_artifact().save_pretrained(tmp_path / "artifact")
    record = read_record(folder)
    assert answers(findings(folder, record)) == {"files": True, "signature": None, "card": True, "harry-potter": None}
    (folder / CARD).write_text("All is well.")
    assert answers(findings(folder, record))["card"] is False
    (folder / CARD).unlink()
    assert answers(findings(folder, record))["card"] is False


def test_rows_are_those_of_the_fit_or_not_or_it_is_not_recorded(make_artifact: Any, tmp_path: Path) -> None:
    rows = [Row("Who is Harry Potter?")]
    step = made("detector", {"forget": rows}, CheckConfig(), seed=None)
    folder = replace(make_artifact(), made=(step,)).save_pretrained(tmp_path / "artifact")
    record = read_record(folder)
    for given, holds in (({"forget": rows * 2}, True), ({"forget": [Row("Why?")]}, False), ({"retain": rows}, None)):
        [found] = [one.holds for one in findings(folder, record, rows=given) if one.text.startswith(tuple(given))]
        assert found is holds, given


def test_the_model_is_the_one_of_the_fit_or_not(make_artifact: Any, tmp_path: Path) -> None:
    artifact = make_artifact()
    own = artifact.base_model
    other = own.model_copy(update={"tokenizer_sha256": "1" * 64})
    for one, here, holds in (
        (artifact, own, True),
        (artifact, other, False),
        (replace(artifact, base_model=None), own, None),
    ):
        folder = one.save_pretrained(tmp_path / f"{holds}")
        assert answers(findings(folder, read_record(folder), model=here))["base model"] is holds


def test_an_artifact_that_nobody_signed_is_none_where_a_key_is_trusted(make_artifact: Any, tmp_path: Path) -> None:
    folder = make_artifact().save_pretrained(tmp_path / "artifact")
    assert answers(findings(folder, read_record(folder), trusted=[]))["signature"] is False
    older = Identity("spul", "0" * 64, is_older=True)
    assert answers(plain_findings(folder, older))["signature"] is None
    assert answers(plain_findings(folder, older, trusted=[]))["signature"] is False
