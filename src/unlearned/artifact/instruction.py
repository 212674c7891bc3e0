"""An instruction on disk: its words, and the artifact of the detector that filters for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from unlearned.artifact.artifact import Artifact
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactVersionError
from unlearned.files import check_place, new_folder, write_text
from unlearned.unlearners.instruction import FILTERED, Instruction

RECORD, DETECTOR = "instruction.json", "detector"
FORMAT = 1


def save_instruction(
    instruction: Instruction, folder: str | Path, *, detector: Artifact | None = None, overwrite: bool = False
) -> Path:
    """Write a JSON file, and the detector in a folder of its own. It appears as a whole, or not at all.

    Args:
        instruction: what to write.
        folder: where.
        detector: the artifact whose scopes the instruction filters by.
        overwrite: replace an older instruction, which is kept as `NAME.previous`.

    Raises:
        ArtifactError: the place is taken, or the detector is missing.
    """
    target = check_place(folder, replaces=RECORD if overwrite else None)
    if (detector is None) is (instruction.kind in FILTERED):
        raise ArtifactError(f"{instruction.kind}: an artifact belongs to a filter, and to nothing else.")
    content = {"kind": instruction.kind, "text": instruction.text, "answer": instruction.answer}
    with new_folder(target, keep_previous=overwrite) as new:
        if detector is not None:
            detector.save_pretrained(new / DETECTOR)
        record = {"format": FORMAT, **content, "sha256": _sha256(content)}
        write_text(new / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return target


def load_instruction(folder: str | Path) -> Instruction:
    """Read what `save_instruction` wrote.

    Raises:
        ArtifactError: there is none, or it cannot be read.
        ArtifactVersionError: it has another format.
        ArtifactIntegrityError: it is not what was saved.
    """
    place = Path(folder)
    try:
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{place} holds no instruction that can be read ({error}).") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ArtifactVersionError(f"The instruction in {place} has a format that is not read here. Make it anew.")
    content = {name: record.get(name) for name in ("kind", "text", "answer")}
    if record.get("sha256") != _sha256(content):
        raise ArtifactIntegrityError(f"{place / RECORD} is not what was saved. Copy the folder again.")
    detector = Artifact.from_pretrained(place / DETECTOR).unlearner() if content["kind"] in FILTERED else None
    return Instruction(kind=record["kind"], text=record["text"], answer=record["answer"], detector=detector)


def _sha256(content: dict[str, str | None]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
