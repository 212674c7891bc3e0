"""Verdicts are found once per prompt and detector, and kept: strengths, seeds, tasks and further runs share them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path

from unlearned.benchmarks.versions import STAGES
from unlearned.errors import DataError
from unlearned.progress import Progress
from unlearned.types import Exempted, Prompt, Span, Verdict
from unlearned.unlearners.eco import ECO

CHUNK = 256
"""Prompts that are classified together, and then kept."""


class Verdicts:
    """Verdicts of any number of detectors, a file for each.

    Args:
        folder: where they are kept; made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, dict[str, Verdict]] = {}

    def classify(self, eco: ECO, prompts: Sequence[Prompt], report: Progress) -> list[Verdict]:
        """One verdict per prompt, as the detector itself gives it, with detection only where it was not done before.

        Raises:
            DataError: the folder cannot be written.
        """
        file = self._folder / f"{self._detector_hash(eco)}.jsonl"
        if file not in self._known:
            self._known[file] = _read(file)
        known = self._known[file]
        hashes = [_prompt_hash(prompt) for prompt in prompts]
        new = {key: prompt for key, prompt in zip(hashes, prompts, strict=True) if key not in known}
        keys = list(new)
        for start in range(0, len(keys), CHUNK):
            report("detection", start, len(keys))
            chunk = keys[start : start + CHUNK]
            found = dict(zip(chunk, eco.classify([new[key] for key in chunk]), strict=True))
            _append(file, found)
            known |= found
        if keys:
            report("detection", len(keys), len(keys))
        return [known[key] for key in hashes]

    def _detector_hash(self, eco: ECO) -> str:
        """Hash of everything that decides a verdict, without the corruption."""
        parts = [f"detection {STAGES['detection']}", *(scope.detector_sha256() for scope in eco.scopes)]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _read(file: Path) -> dict[str, Verdict]:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return {}
    known = {}
    for line in lines:
        try:
            key, kept = json.loads(line)
            known[str(key)] = Verdict(
                tuple(Span(**span) for span in kept["spans"]),
                float(kept["score"]),
                tuple(kept["languages"]),
                tuple(Exempted(**example) for example in kept["exempted_by"]),
            )
        except (ValueError, TypeError, KeyError):
            continue  # cut short: it is found again
    return known


def _append(file: Path, found: dict[str, Verdict]) -> None:
    """A line each. The line end stands in front, so that a line that was cut short spoils no other."""
    lines = "".join(f"\n{json.dumps([key, asdict(verdict)])}" for key, verdict in found.items())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(lines)
    except OSError as error:
        raise DataError(f"Cannot write to {file}: {error.strerror}.") from error


def _prompt_hash(prompt: Prompt) -> str:
    segments = [astuple(segment) for segment in prompt.segments]
    return hashlib.sha256(json.dumps([prompt.text, segments]).encode()).hexdigest()[:32]
