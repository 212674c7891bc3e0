"""The record that every kind of artifact has, `unlearner.json`: what it is, when it was made, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactSchemaError, ArtifactVersionError
from unlearned.files import check_place, write_text

RECORD, VECTORS = "unlearner.json", "vectors.safetensors"
DETECTOR = "detector"
"""Folder inside an instruction's, with the artifact by which it filters."""

SCHEMA_VERSION: Final = 2
FIELDS = ("schema_version", "method", "created", "libraries", "files", "sha256")
"""What every record has."""

ECO, SPUL, INSTRUCTION = "eco", "spul", "instruction"
"""Methods."""

OLDER: Mapping[str, str] = {"soft_prompt.json": SPUL, "instruction.json": INSTRUCTION}
"""Record of an older format -> its method."""

NAMES: Mapping[str, str] = {ECO: "an artifact of scopes", SPUL: "a soft prompt", INSTRUCTION: "an instruction"}
"""Method -> what messages call it."""

OTHERS: Mapping[str, str] = {
    "training.json": "what `unlearned train` made: give it as --adapter, or as --model if it is a whole model",
    "adapter_config.json": "an adapter: give it as --adapter",
    "config.json": "a model: give it as --model",
    "results.json": "results of a benchmark: the artifacts of its run are in the folder artifacts/",
}
"""File -> what a folder with it holds that is no artifact, and what to do."""


def record_sha256(data: Mapping[str, Any]) -> str:
    """Hash of the record without its own; this is the artifact's hash, and through `files` it covers all its files."""
    canonical = json.dumps({**data, "sha256": ""}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_record(folder: Path, method: str, content: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write the record of an artifact.

    Args:
        folder: where.
        method: what it is.
        content: fields of this method.
        files: name -> bytes of the files beside it.
    """
    record = {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **content,
        "libraries": libraries(("unlearned", "torch", "transformers")),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    record = json.loads(json.dumps(record))  # as it will be read
    write_text(folder / RECORD, json.dumps({**record, "sha256": record_sha256(record)}, indent=2) + "\n")


def read_json(folder: Path) -> dict[str, Any]:
    """`unlearner.json` of any method, checked against nothing but its version.

    Raises:
        ArtifactIntegrityError: it is missing or cut short; says what the folder holds instead.
        ArtifactSchemaError: it is no JSON object.
        ArtifactVersionError: it has another version.
    """
    path = folder / RECORD
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactIntegrityError(f"{folder} holds no {RECORD}, so it is no artifact. {_instead(folder)}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactIntegrityError(f"{path} is truncated or altered: {error}. Copy the artifact again.") from error
    if not isinstance(data, dict):
        raise ArtifactSchemaError(f"{path} is not a JSON object.")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactVersionError(
            f"{path} has schema version {data.get('schema_version')!r}; this library reads {SCHEMA_VERSION}. "
            "Use the library version that wrote it, or fit again."
        )
    return data


def check_sha256(folder: Path, data: Mapping[str, Any]) -> None:
    """Raise `ArtifactIntegrityError` where a record is not what was written."""
    if data.get("sha256") != record_sha256(data):
        path = folder / RECORD
        raise ArtifactIntegrityError(f"{path} was altered after it was written: its hash differs. Copy it again.")


def read_content(folder: Path, method: str, fields: Collection[str]) -> dict[str, Any]:
    """The record of an artifact of this method, with its hash checked and exactly these fields of its own.

    Raises:
        ArtifactError: it is of another method, or as `read_json`, `check_sha256`; unknown fields are refused.
    """
    data = read_json(folder)
    if (found := data.get("method")) != method:
        raise ArtifactError(f"{folder} holds {named(found)}, and not {named(method)}. Check the path.")
    wanted = {*FIELDS, *fields}
    if wrong := sorted(wanted ^ set(data)):
        problem = "lacks the field" if wrong[0] in wanted else "has the unknown field"
        raise ArtifactSchemaError(f"{folder / RECORD} {problem} {wrong[0]!r}. Copy the artifact again.")
    check_sha256(folder, data)
    return data


def read_file(folder: Path, name: str, sha256: str | None) -> bytes:
    """A file beside a record; raises `ArtifactIntegrityError` if it is not what was saved."""
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactIntegrityError(f"{path} is missing. Copy the artifact again.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactIntegrityError(f"{path} is truncated or altered: its hash differs. Copy the artifact again.")
    return content


def method_in(folder: Path) -> str | None:
    """What the folder says that it holds, in whatever format; None where nothing says so. Nothing is checked."""
    if (folder / RECORD).is_file():
        try:
            found = json.loads((folder / RECORD).read_text(encoding="utf-8")).get("method")
        except (OSError, ValueError, AttributeError):
            return None
        return found if isinstance(found, str) else None
    return next((method for file, method in OLDER.items() if (folder / file).is_file()), None)


def record_file(folder: Path) -> Path:
    """The file that says what the folder holds, in whatever format."""
    return next((folder / file for file in (RECORD, *OLDER) if (folder / file).is_file()), folder / RECORD)


def older_sha256(folder: Path) -> str:
    """Hash of an artifact of an older format: of its record, and of its detector's if it has one."""
    parts = [record_file(folder), folder / DETECTOR / RECORD]
    return hashlib.sha256(b"\n".join(part.read_bytes() for part in parts if part.is_file())).hexdigest()


def named(method: object) -> str:
    """A method as messages call it."""
    return NAMES.get(str(method), f"an artifact of the unknown method {method!r}")


def check_method_place(folder: str | Path, method: str, *, overwrite: bool) -> Path:
    """The place for a new artifact of this method; raises `ArtifactError` if something is there.

    Args:
        folder: where.
        method: only one of the same method is replaced.
        overwrite: whether it may be replaced at all.
    """
    target = Path(folder)
    found = method_in(target)
    if overwrite and found is not None and found != method:
        raise ArtifactError(f"{target} holds {named(found)}, which {named(method)} does not replace. Choose another.")
    return check_place(target, replaces=record_file(target).name if overwrite else None)


def libraries(names: Iterable[str]) -> dict[str, str]:
    """Name -> installed version."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _instead(folder: Path) -> str:
    """What a folder without a record holds, and what to do."""
    for file, method in OLDER.items():
        if (folder / file).is_file():
            return f"It holds {NAMES[method]} ({file})."
    for file, what in OTHERS.items():
        if (folder / file).is_file():
            return f"It holds {what}."
    inside = sorted(path.name for path in folder.iterdir() if method_in(path)) if folder.is_dir() else []
    return f"It holds folders of artifacts: name one, such as {folder / inside[0]}." if inside else "Check the path."
