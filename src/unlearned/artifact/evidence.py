"""What a check of an artifact on prompts that it was not fitted with has found; kept beside it, in `evidence.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from unlearned.artifact.record import EVIDENCE
from unlearned.artifact.schema import DataRecord, Record
from unlearned.errors import ArtifactIntegrityError
from unlearned.files import write_text


class GroupRecord(Record):
    """One kind of prompts."""

    prompts: int
    flagged: int


class EvidenceRecord(Record):
    """The numbers of one check."""

    at: str
    by: str | None = None
    artifact_sha256: str
    model: str
    held_out: bool
    """Whether they were given as such; else part of the fit's own prompts was set aside, which is weaker."""

    forget: GroupRecord
    close: GroupRecord | None = None
    general: GroupRecord | None = None
    data: list[DataRecord] = Field(default_factory=list)
    leaks_before: int | None = None
    leaks_after: int | None = None
    leaks_of: int = 0
    """Questions that have a fact to look for."""

    told_apart: float | None = None
    """Balanced accuracy (0.5 = chance) of telling flagged answers from original ones about invented subjects."""

    told_apart_interval: tuple[float, float] | None = None
    canned: float | None = None
    """Share of the flagged answers that are stock phrases."""

    canned_plain: float | None = None
    looping: float | None = None
    looping_plain: float | None = None
    unflagged: int = 0
    identical: int = 0
    """Unflagged answers that are the original model's, token for token."""

    failures: list[str] = Field(default_factory=list)
    """Bounds that were not kept."""


def read_evidence(folder: Path) -> EvidenceRecord | None:
    """What the folder holds; None where nothing was checked.

    Raises:
        ArtifactIntegrityError: it cannot be read.
    """
    path = folder / EVIDENCE
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return EvidenceRecord.model_validate(data)
    except FileNotFoundError:
        return None
    except (ValueError, ValidationError) as error:
        raise ArtifactIntegrityError(f"{path} cannot be read. Check the artifact again: unlearned check.") from error


def write_evidence(folder: Path, evidence: EvidenceRecord) -> None:
    """Put it beside the artifact, and into its card. A signature does not hold any more, and is removed."""
    from unlearned.artifact.card import card
    from unlearned.artifact.record import CARD, SIGNATURE, VECTORS, read_record

    write_text(folder / EVIDENCE, evidence.model_dump_json(indent=2) + "\n")
    write_text(folder / CARD, card(read_record(folder), (folder / VECTORS).stat().st_size, evidence))
    (folder / SIGNATURE).unlink(missing_ok=True)


def summary(evidence: EvidenceRecord) -> list[tuple[str, str]]:
    """Rows of a table: what, and how much."""
    e = evidence
    kind = "held-out forget prompts" if e.held_out else "forget prompts set aside from the fit's own"
    rows = [("missed", f"{e.forget.prompts - e.forget.flagged} of {e.forget.prompts} {kind}")]
    for group, name in ((e.close, "close prompts"), (e.general, "general prompts")):
        if group is not None:
            rows.append(("false alarms", f"{group.flagged} of {group.prompts} {name}"))
    if e.leaks_of:
        rows.append(("leaks", f"{e.leaks_before} before, {e.leaks_after} after, of {e.leaks_of} questions with a fact"))
    if e.told_apart is not None:
        interval = (
            f" (95 %: {e.told_apart_interval[0]:.0%} to {e.told_apart_interval[1]:.0%})"
            if e.told_apart_interval
            else ""
        )
        rows.append(("told from answers about invented subjects", f"{e.told_apart:.0%}{interval}; chance 50%"))
    if e.canned is not None and e.canned_plain is not None:
        rows.append(
            ("stock phrases", f"{e.canned:.0%} of the flagged answers; {e.canned_plain:.0%} of the original model's")
        )
    if e.looping is not None and e.looping_plain is not None:
        rows.append(
            (
                "looping or empty",
                f"{e.looping:.0%} of the flagged answers; {e.looping_plain:.0%} of the original model's",
            )
        )
    rows.append(("unflagged answers identical", f"{e.identical} of {e.unflagged}"))
    return rows
