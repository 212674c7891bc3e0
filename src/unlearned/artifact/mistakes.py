"""Which prompts of its own fit a detector got wrong. Not part of an artifact: it would hold the prompts' words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from unlearned.files import write_text

Kind = Literal["forget", "close", "general"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One prompt, judged by a detector that had not seen it."""

    kind: Kind
    prompt: str
    score: float
    """p(forget | prompt)."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The prompts about which the detector of one fit is wrong."""

    threshold: float
    missed: tuple[Mistake, ...] = ()
    """Forget prompts below the threshold, the nearest to it first."""

    flagged: tuple[Mistake, ...] = ()
    """Others at or above it, close ones first, the nearest to it first."""

    def advice(self) -> list[str]:
        """What would help."""
        found = []
        if self.missed:
            found.append(f"Add forget prompts like {_quoted(self.missed)}: a prompt is found by others that ask alike.")
        if any(one.kind == "close" for one in self.flagged):
            close = [one for one in self.flagged if one.kind == "close"]
            found.append(f"Add retain prompts like {_quoted(close)}, or give them to --exempt if they share a name.")
        return found

    def write(self, file: Path) -> None:
        """Write JSON lines: what, kind, prompt, score. Raises `OSError`."""
        rows = [("missed", one) for one in self.missed] + [("flagged", one) for one in self.flagged]
        lines = [json.dumps({"error": what, **asdict(one)}, ensure_ascii=False) + "\n" for what, one in rows]
        write_text(file, "".join(lines))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Mistakes:
        missed, flagged = (tuple(Mistake(**one) for one in data[name]) for name in ("missed", "flagged"))
        return cls(float(data["threshold"]), missed, flagged)


def mistakes_of(
    forget: Sequence[tuple[str, float]],
    close: Sequence[tuple[str, float]],
    general: Sequence[tuple[str, float]],
    threshold: float,
) -> Mistakes:
    """Find the mistakes among prompts with their scores."""
    missed = [Mistake("forget", prompt, score) for prompt, score in forget if score < threshold]
    flagged = [Mistake("close", prompt, score) for prompt, score in close if score >= threshold]
    others = [Mistake("general", prompt, score) for prompt, score in general if score >= threshold]
    return Mistakes(
        threshold,
        tuple(sorted(missed, key=lambda one: -one.score)),
        (*sorted(flagged, key=lambda one: one.score), *sorted(others, key=lambda one: one.score)),
    )


def _quoted(found: Sequence[Mistake]) -> str:
    prompt = " ".join(found[0].prompt.split())
    return repr(prompt if len(prompt) <= 80 else prompt[:77] + "...")
