"""What a check has found stands beside the artifact, and in its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")


from keys import write_key

from unlearned.artifact import read_record
from unlearned.artifact.evidence import EvidenceRecord, GroupRecord, write_evidence
from unlearned.artifact.fitting import findings
from unlearned.artifact.record import CARD, EVIDENCE, SIGNATURE
from unlearned.artifact.signing import sign


@pytest.fixture
def saved(make_artifact: Any, tmp_path: Path) -> Path:
    folder: Path = make_artifact().save_pretrained(tmp_path / "hp")
    return folder


def test_evidence_is_in_the_card_and_needs_a_new_signature(saved: Path, tmp_path: Path) -> None:
    write_key(tmp_path / "key")
    sign(saved, tmp_path / "key")
    sha256 = read_record(saved).sha256
    evidence = EvidenceRecord(
        at="2026-01-01T00:00:00+00:00",
        artifact_sha256=sha256,
        model="tiny",
        held_out=True,
        forget=GroupRecord(prompts=20, flagged=19),
        told_apart=0.55,
        told_apart_interval=(0.4, 0.7),
    )
    write_evidence(saved, evidence)
    assert not (saved / SIGNATURE).exists()
    card = (saved / CARD).read_text()
    assert "| missed | 1 of 20 held-out forget prompts |" in card
    assert "55% (95 %: 40% to 70%); chance 50%" in card
    sign(saved, tmp_path / "key")
    (saved / EVIDENCE).write_text((saved / EVIDENCE).read_text().replace('"flagged": 19', '"flagged": 20'))
    told = {one.text.partition(":")[0]: one for one in findings(saved, read_record(saved))}
    assert (told["signature"].holds, told["card"].holds) == (False, False)
    assert EVIDENCE in told["signature"].text
