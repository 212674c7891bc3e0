"""An artifact's folder and its `unlearner.json`, read without torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from unlearned.artifact.schema import SCHEMA_VERSION, UnlearnerRecord
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactSchemaError, ArtifactVersionError

RECORD, VECTORS, CARD = "unlearner.json", "vectors.safetensors", "README.md"
SIGNATURE = "signature.json"
EVIDENCE = "evidence.json"
FILES = frozenset({RECORD, VECTORS, CARD, SIGNATURE, EVIDENCE})
"""What an artifact's folder may hold."""


def check_target(folder: str | Path) -> Path:
    """The place to save to; raises `ArtifactError` if something would be lost that is no artifact."""
    target = Path(folder)
    if target.exists() and not (target / RECORD).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise ArtifactError(f"{target} exists and is no artifact. Choose another folder.")
    if target.is_dir() and (others := {path.name for path in target.iterdir()} - FILES):
        raise ArtifactError(f"{target} also holds {min(others)!r}, which would be lost. Choose another folder.")
    return target


def read_record(folder: Path) -> UnlearnerRecord:
    """`unlearner.json`, checked against version, schema and its own hash; see `Artifact.from_pretrained`."""
    path = folder / RECORD
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactIntegrityError(f"{folder} holds no {RECORD}, so it is no artifact. Check the path.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactIntegrityError(f"{path} is truncated or altered: {error}. Copy the artifact again.") from error
    if not isinstance(data, dict):
        raise ArtifactSchemaError(f"{path} is not a JSON object.")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactVersionError(
            f"{path} has schema version {data.get('schema_version')!r}; this library reads {SCHEMA_VERSION}. "
            "Use the library version that wrote it, or fit again."
        )
    from pydantic import ValidationError

    try:
        record = UnlearnerRecord.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field_name = ".".join(str(part) for part in first["loc"])
        raise ArtifactSchemaError(f"{path}: {field_name}: {first['msg']}.") from error
    if record.sha256 != record_sha256(data):
        raise ArtifactIntegrityError(f"{path} was altered after it was written: its hash differs. Copy it again.")
    return record


def record_sha256(data: dict[str, Any]) -> str:
    """Of the record without its own hash; this is the artifact's hash, and through `files` covers all its files."""
    canonical = json.dumps({**data, "sha256": ""}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def folder_of(path: str | Path, revision: str | None = None) -> Path:
    """The folder of an artifact that is named by its path or by its hub id; raises `ArtifactError`."""
    if Path(path).is_dir():
        return Path(path)
    if isinstance(path, str) and path.count("/") == 1 and not path.startswith((".", "/", "~")):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            return Path(snapshot_download(path, revision=revision, allow_patterns=sorted(FILES)))
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            raise ArtifactError(f"There is no folder {path!r}, and the hub gives none: {error}") from error
    raise ArtifactError(f"There is no artifact folder {str(path)!r}. Check the path.")
