"""An artifact's folder and its `unlearner.json`, read without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearned import envelope
from unlearned.artifact.schema import UnlearnerRecord
from unlearned.envelope import DETECTOR, RECORD, VECTORS, record_sha256
from unlearned.errors import ArtifactError, ArtifactSchemaError

__all__ = ["CARD", "EVIDENCE", "RECORD", "SIGNATURE", "VECTORS", "record_sha256"]

CARD = "README.md"
SIGNATURE = "signature.json"
EVIDENCE = "evidence.json"
FILES = frozenset({RECORD, VECTORS, CARD, SIGNATURE, EVIDENCE})
"""What the folder of an artifact of scopes may hold."""

WANTED = (
    *sorted(FILES),
    *(f"{DETECTOR}/{name}" for name in sorted(FILES)),
    *(*envelope.OLDER, "soft_prompt.safetensors"),
)
"""What is fetched from the hub: the files of any kind of artifact."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a folder holds, as its record says."""

    method: str
    """"eco", "spul" or "instruction"."""

    sha256: str
    """Hash of the record, which covers all its files."""

    created: str = ""
    """UTC, ISO 8601; empty in older formats."""

    kind: str | None = None
    """Kind of the instruction; None for the other methods."""

    scopes: tuple[str, ...] = ()
    """What it detects; none for what comes before every prompt."""

    is_older: bool = False
    """Whether it has a format of earlier releases, which is read, but cannot be signed."""


def identify(folder: Path) -> Identity:
    """What any kind of artifact's record says, after checking version, fields and hash.

    Raises:
        ArtifactError: the folder holds none; says what is there and what to do.
    """
    if (older := envelope.record_file(folder)).name != RECORD:
        method = envelope.OLDER[older.name]
        return Identity(
            method, envelope.older_sha256(folder), kind=_older_kind(older), scopes=_detected(folder), is_older=True
        )
    data = envelope.read_json(folder)
    if data.get("method") in (None, envelope.ECO):  # a record without a method lacks a field of ECO's schema
        record = read_record(folder)
        return Identity(record.method, record.sha256, record.created, scopes=tuple(s.name for s in record.scopes))
    if data["method"] not in envelope.NAMES:
        raise ArtifactSchemaError(
            f"{folder / RECORD} has the method {data['method']!r}, which is not known here. Use the library version "
            "that wrote it."
        )
    envelope.check_sha256(folder, data)
    return Identity(
        data["method"], data["sha256"], str(data.get("created", "")), data.get("kind"), scopes=_detected(folder)
    )


def _detected(folder: Path) -> tuple[str, ...]:
    """Scopes of the detector inside an instruction's folder."""
    if not (folder / DETECTOR).is_dir():
        return ()
    return tuple(scope.name for scope in read_record(folder / DETECTOR).scopes)


def _older_kind(record: Path) -> str | None:
    try:
        kind = json.loads(record.read_text(encoding="utf-8")).get("kind")
    except (ValueError, AttributeError) as error:
        raise ArtifactError(f"{record} cannot be read: {error}. Copy the folder again.") from error
    return kind if isinstance(kind, str) else None


def check_target(folder: str | Path) -> Path:
    """The place to save to; raises `ArtifactError` if something would be lost that is no artifact of scopes."""
    target = Path(folder)
    if target.exists() and not (target / RECORD).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise ArtifactError(f"{target} exists and is no artifact. Choose another folder.")
    if (method := envelope.method_in(target)) in (envelope.SPUL, envelope.INSTRUCTION):
        raise ArtifactError(f"{target} holds {envelope.named(method)}, which would be lost. Choose another folder.")
    if target.is_dir() and (others := {path.name for path in target.iterdir()} - FILES):
        raise ArtifactError(f"{target} also holds {min(others)!r}, which would be lost. Choose another folder.")
    return target


def read_record(folder: Path) -> UnlearnerRecord:
    """`unlearner.json` of an artifact of scopes, checked against version, schema and its own hash.

    Raises:
        ArtifactError: as `Artifact.from_pretrained`; another kind of artifact is named.
    """
    path = folder / RECORD
    data: Any = envelope.read_json(folder)
    if (method := data.get("method")) in (envelope.SPUL, envelope.INSTRUCTION):
        raise ArtifactError(
            f"{folder} holds {envelope.named(method)}, and here only an artifact of scopes will do (unlearned fit). "
            "Check the path."
        )
    from pydantic import ValidationError

    try:
        record = UnlearnerRecord.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field_name = ".".join(str(part) for part in first["loc"])
        raise ArtifactSchemaError(f"{path}: {field_name}: {first['msg']}.") from error
    envelope.check_sha256(folder, data)
    return record


def folder_of(path: str | Path, revision: str | None = None) -> Path:
    """The folder of an artifact that is named by its path or by its hub id; raises `ArtifactError`."""
    if Path(path).is_dir():
        return Path(path)
    if isinstance(path, str) and path.count("/") == 1 and not path.startswith((".", "/", "~")):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            return Path(snapshot_download(path, revision=revision, allow_patterns=list(WANTED)))
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            raise ArtifactError(f"There is no folder {path!r}, and the hub gives none: {error}") from error
    raise ArtifactError(f"There is no artifact folder {str(path)!r}. Check the path.")
