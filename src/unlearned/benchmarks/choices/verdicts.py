"""Verdicts are found once per prompt and detector, and kept: strengths, seeds and further runs share them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from unlearned.benchmarks.contenders import Contender, Corrupted
from unlearned.benchmarks.kept import sha256_of_code
from unlearned.files import write_text
from unlearned.progress import Progress
from unlearned.stages import Prompt, PromptInput, Span, Verdict
from unlearned.unlearners.eco import ECO

CHUNK = 256
"""Prompts that are classified together, and then kept."""

CODE = ("classify", "stages.py")


class Verdicts:
    """Args: `folder`, where they are kept; made when there is something to keep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, model: Contender, prompts: Sequence[Prompt], report: Progress) -> list[PromptInput]:
        """What the model reads in place of each prompt, with detection only where it was not done before."""
        if not isinstance(model, Corrupted):
            return model.prepare(prompts)
        eco = model.unlearner
        verdicts = self.classify(eco, prompts, report)
        return [eco.corrupt(prompt, v, model.engine) for prompt, v in zip(prompts, verdicts, strict=True)]

    def classify(self, eco: ECO, prompts: Sequence[Prompt], report: Progress) -> list[Verdict]:
        """One verdict per prompt, as the detector itself gives it."""
        file = self._folder / f"{_detector_hash(eco)}.json"
        known = _read(file)
        hashes = [_prompt_hash(prompt) for prompt in prompts]
        new = {key: prompt for key, prompt in zip(hashes, prompts, strict=True) if key not in known}
        keys = list(new)
        for start in range(0, len(keys), CHUNK):
            report("detection", start, len(keys))
            chunk = keys[start : start + CHUNK]
            known |= zip(chunk, eco.classify([new[key] for key in chunk]), strict=True)
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps({key: astuple(verdict) for key, verdict in known.items()}))
        report("detection", len(keys), len(keys))
        return [known[key] for key in hashes]


def _read(file: Path) -> dict[str, Verdict]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {
            key: Verdict(tuple(Span(*span) for span in spans), score, tuple(languages))
            for key, (spans, score, languages) in kept.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # none yet, or cut short: they are found again


def _detector_hash(eco: ECO) -> str:
    """Of everything that decides a verdict; not of the corruption."""
    parts = [sha256_of_code(*CODE), *(scope.detector_sha256() for scope in eco.scopes)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _prompt_hash(prompt: Prompt) -> str:
    segments = [astuple(segment) for segment in prompt.segments]
    return hashlib.sha256(json.dumps([prompt.text, segments]).encode()).hexdigest()[:32]
