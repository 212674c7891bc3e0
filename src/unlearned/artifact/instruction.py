"""An instruction on disk: its words, and the artifact of the detector that filters for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from unlearned import envelope
from unlearned.artifact.artifact import Artifact
from unlearned.envelope import DETECTOR
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactVersionError
from unlearned.files import new_folder
from unlearned.unlearners.instruction import FILTERED, Instruction

OLDER = "instruction.json"
"""The record of earlier releases."""

FIELDS = ("kind", "text", "answer", "detector_sha256")


def save_instruction(
    instruction: Instruction, folder: str | Path, *, detector: Artifact | None = None, overwrite: bool = False
) -> Path:
    """Write a record, and the detector in a folder of its own. It appears as a whole, or not at all.

    Args:
        instruction: what to write.
        folder: where.
        detector: the artifact whose scopes the instruction filters by.
        overwrite: replace an older instruction, which is kept as `NAME.previous`.

    Raises:
        ArtifactError: the place is taken, or the detector is missing.
    """
    target = envelope.check_method_place(folder, instruction.method, overwrite=overwrite)
    if (detector is None) is (instruction.kind in FILTERED):
        raise ArtifactError(f"{instruction.kind}: an artifact belongs to a filter, and to nothing else.")
    own: dict[str, str | None] = {"kind": instruction.kind, "text": instruction.text, "answer": instruction.answer}
    with new_folder(target, keep_previous=overwrite) as new:
        sha256 = None
        if detector is not None:
            sha256 = envelope.read_json(detector.save_pretrained(new / DETECTOR))["sha256"]
        envelope.write_record(new, instruction.method, own | {"detector_sha256": sha256}, {})
    return target


def load_instruction(folder: str | Path) -> Instruction:
    """Read what `save_instruction` wrote, also what earlier releases wrote.

    Raises:
        ArtifactError: the folder holds none, or something else; says what.
        ArtifactVersionError: it has another format.
        ArtifactIntegrityError: it is not what was saved, or its detector is another one.
    """
    place = Path(folder)
    if envelope.record_file(place).name == OLDER:
        data = _older(place)
    else:
        data = envelope.read_content(place, Instruction.method, FIELDS)
    detector = None
    if data["kind"] in FILTERED:
        artifact = Artifact.from_pretrained(place / DETECTOR)
        if data["detector_sha256"] not in (None, artifact.sha256):
            raise ArtifactIntegrityError(
                f"{place / DETECTOR} is not the detector that was saved. Copy the folder again."
            )
        detector = artifact.unlearner()
    own = {name: data[name] for name in ("kind", "text", "answer", "sha256")}
    return Instruction(**own, detector=detector)


def _older(place: Path) -> dict[str, Any]:
    """The record of earlier releases, which does not name its detector; its hash is that of its words."""
    try:
        record = json.loads((place / OLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{place} holds no instruction that can be read ({error}).") from error
    if not isinstance(record, dict) or record.get("format") != 1:
        raise ArtifactVersionError(f"The instruction in {place} has a format that is not read here. Make it anew.")
    content = {name: record.get(name) for name in ("kind", "text", "answer")}
    if record.get("sha256") != hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest():
        raise ArtifactIntegrityError(f"{place / OLDER} is not what was saved. Copy the folder again.")
    return content | {"detector_sha256": None, "sha256": envelope.older_sha256(place)}
