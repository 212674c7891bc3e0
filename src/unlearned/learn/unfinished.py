"""A fit that takes minutes can be killed: its detector and its evaluations are kept until it has ended."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.mistakes import Mistakes
from unlearned.errors import ArtifactError, DataError
from unlearned.files import write_text

DETECTOR, OF, LEDGER, MISTAKES = "detector", "detector.sha256", "strength.jsonl", "mistakes.json"


class Unfinished:
    """The folder of one unfinished fit.

    The detector is kept because it holds the secret: with another one, the noise would be another, and evaluations
    made before would say nothing.

    Args:
        folder: where; None keeps nothing.
        fingerprint: of data and settings; what was kept for others is made anew.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def detector(self) -> Artifact | None:
        """The detector that was fitted before the interruption, if there is one."""
        if self.folder is None:
            return None
        try:
            if (self.folder / OF).read_text(encoding="utf-8") != self.fingerprint:
                return None
            artifact = Artifact.from_pretrained(self.folder / DETECTOR)
            kept = json.loads((self.folder / MISTAKES).read_text(encoding="utf-8"))
            return replace(artifact, mistakes={name: Mistakes.from_json(one) for name, one in kept.items()})
        except (OSError, ArtifactError, ValueError, KeyError, TypeError):
            return None

    def keep(self, artifact: Artifact) -> None:
        """Remember the detector."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in (OF, LEDGER):  # what another detector's tokens gave says nothing about this one's
                (self.folder / name).unlink(missing_ok=True)
            artifact.save_pretrained(self.folder / DETECTOR)
            found = {name: mistakes.as_json() for name, mistakes in artifact.mistakes.items()}
            write_text(self.folder / MISTAKES, json.dumps(found) + "\n")
            write_text(self.folder / OF, self.fingerprint)
        except OSError as error:
            raise DataError(f"Cannot write to {self.folder}: {error.strerror}.") from error


def discard(folder: Path) -> None:
    """Remove what was kept of a fit that has ended; files that are not ours stay."""
    shutil.rmtree(folder / DETECTOR, ignore_errors=True)
    for name in (OF, LEDGER, MISTAKES):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
