"""Does an artifact fit together, and is it of these data and this model? One line per question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearned.artifact.card import card
from unlearned.artifact.evidence import read_evidence
from unlearned.artifact.provenance import Role, rows_sha256
from unlearned.artifact.record import CARD, VECTORS, Identity
from unlearned.artifact.schema import BaseModelRecord, ScopeRecord, UnlearnerRecord
from unlearned.artifact.signing import TrustedKey, read_signature, verified
from unlearned.errors import ArtifactIntegrityError
from unlearned.examples import Row


@dataclass(frozen=True, slots=True)
class FitFinding:
    """The answer to one question."""

    holds: bool | None
    """None: it cannot be told."""

    text: str


def findings(
    folder: Path,
    record: UnlearnerRecord,
    *,
    trusted: Sequence[TrustedKey] | None = None,
    rows: Mapping[Role, Sequence[Row]] | None = None,
    model: BaseModelRecord | None = None,
) -> list[FitFinding]:
    """Answers, those about the artifact itself first. Its hashes must have been checked before.

    Args:
        folder: of the artifact.
        record: its record.
        trusted: keys of which one must have signed it.
        rows: data that it may have been fitted with.
        model: the model that it is to be used with.
    """
    found = [FitFinding(True, f"files: all as recorded; sha256 {record.sha256}")]
    found += [_signature(folder, trusted), _card(folder, record)]
    for scope in record.scopes:
        found += _of_scope(scope)
    known = {(one.role, one.sha256) for step in record.made for one in step.data}
    for role, own in (rows or {}).items():
        digest = rows_sha256(own)
        if not any(kind == role for kind, _ in known):
            found.append(FitFinding(None, f"{role}: which rows it was fitted with is not recorded"))
        else:
            holds = (role, digest) in known
            is_it = "are those that it was fitted with" if holds else "are not those that it was fitted with"
            found.append(FitFinding(holds, f"{role}: these {len(own)} rows {is_it} (sha256 {digest[:16]})"))
    if model is not None:
        found.append(_model(record.base_model, model))
    return found


def plain_findings(
    folder: Path,
    known: Identity,
    *,
    trusted: Sequence[TrustedKey] | None = None,
    model: BaseModelRecord | None = None,
    made_for: BaseModelRecord | None = None,
) -> list[FitFinding]:
    """Doubts about a soft prompt or an instruction, whose hashes were checked.

    Args:
        folder: of the artifact.
        known: what its record says.
        trusted: keys of which one must have signed it.
        model: the model that it is to be used with.
        made_for: the model that it was trained on, where it was.
    """
    found = [FitFinding(True, f"files: all as recorded; sha256 {known.sha256}")]
    if known.is_older:
        found.append(FitFinding(None if trusted is None else False, "signature: its older format cannot be signed"))
    else:
        found.append(_signature(folder, trusted))
    if model is not None:
        found.append(
            FitFinding(None, "base model: none recorded, it is used with any")
            if made_for is None
            else _model(made_for, model)
        )
    return found


def _signature(folder: Path, trusted: Sequence[TrustedKey] | None) -> FitFinding:
    try:
        if read_signature(folder) is None and trusted is None:
            return FitFinding(None, "signature: nobody signed it")
        signed, label = verified(folder, trusted)
    except ArtifactIntegrityError as error:
        return FitFinding(False, f"signature: {error}")
    by = (
        f"{label!r}, a trusted key ({signed.fingerprint})"
        if label
        else f"{signed.fingerprint} (no --trusted-keys given)"
    )
    return FitFinding(True, f"signature: by {by}, at {signed.at}")


def _card(folder: Path, record: UnlearnerRecord) -> FitFinding:
    from unlearned import __version__

    try:
        text = (folder / CARD).read_text(encoding="utf-8")
    except OSError:
        return FitFinding(False, f"card: {CARD} is missing")
    made_by = record.libraries.get("unlearned", "unknown")
    if text == card(record, (folder / VECTORS).stat().st_size, read_evidence(folder)):
        return FitFinding(True, "card: says what the record says")
    if made_by != __version__:
        return FitFinding(None, f"card: written by version {made_by}, so it is not compared with the record")
    return FitFinding(False, f"card: {CARD} is not what the record says; somebody changed it")


def _of_scope(scope: ScopeRecord) -> list[FitFinding]:
    found, calibration, strength, corruption = [], scope.calibration, scope.strength, scope.corruption
    if calibration is None:
        found.append(FitFinding(None, f"{scope.name}: the threshold {scope.threshold:.4f} was not calibrated"))
    else:
        holds = scope.threshold == calibration.threshold
        is_it = "is the calibrated one" if holds else f"is not the calibrated {calibration.threshold:.4f}"
        found.append(FitFinding(holds, f"{scope.name}: the threshold {scope.threshold:.4f} {is_it}"))
    if corruption is not None:
        parameter = corruption.strength if corruption.strength is not None else corruption.dims
        if strength is None:
            found.append(FitFinding(None, f"{scope.name}: the strength {parameter:g} was chosen by hand"))
        elif parameter is not None:
            holds = abs(parameter - strength.chosen.parameter) <= 1e-9 * max(1.0, abs(parameter))
            is_it = "is the learned one" if holds else f"is not the learned {strength.chosen.parameter:g}"
            found.append(FitFinding(holds, f"{scope.name}: the strength {parameter:g} {is_it}"))
    return found


def _model(made_for: BaseModelRecord | None, here: BaseModelRecord) -> FitFinding:
    if made_for is None:
        return FitFinding(None, "base model: none yet, this is a detector")
    same = (made_for.embedding_sha256, made_for.tokenizer_sha256) == (here.embedding_sha256, here.tokenizer_sha256)
    is_it = "has the embeddings and vocabulary" if same else "has other embeddings or another vocabulary than those"
    return FitFinding(same, f"base model: {here.id} {is_it} of {made_for.id}, on which it was fitted")
