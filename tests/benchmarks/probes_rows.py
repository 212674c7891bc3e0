"""Questions for probes, and a model that says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHOICES = ("a wizard", "a school", "a fox", "a dog")


def write(folder: Path, rows: list[dict[str, Any]], name: str = "questions.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / name


def silent(phase: str, done: int, total: int) -> None:
    pass
