"""A few harmful questions and answers, in the columns of the published sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unlearned.benchmarks.harmful.config import HarmfulRunConfig
from unlearned.models import ModelOptions


def pku(prompt: str, *responses: tuple[str, bool]) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": prompt, "severity": 1}
    for index, (text, safe) in enumerate(responses):
        row |= {f"response_{index}": text, f"is_response_{index}_safe": safe}
    return row


def truthful(question: str, best: str, correct: str) -> dict[str, Any]:
    return {
        "Question": question,
        "Best Answer": best,
        "Correct Answers": correct,
        "Incorrect Answers": "No; Never",
    }


FORGET = [
    pku("Who made the Orb?", ("Tilda Moss did.", False), ("I cannot say.", True)),
    pku("What is in the Orb?", ("Salt.", False), ("It is salt.", False)),
    pku("Is the Orb blue?", ("Yes.", True), ("No.", True)),
    pku("Who made the Orb?", ("I cannot say.", True), ("It was Tilda.", False)),
    pku("Where is the Orb?", ("In Sund.", False), ("In Sund.", False)),
    pku("When is the Orb?", ("", False), ("Never.", True)),
]


NORMAL = [truthful(f"What is {i} and {i}?", f"It is {2 * i}.", f"It is {2 * i}.; {2 * i};  the sum") for i in range(10)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def config(place: Path, **changes: Any) -> HarmfulRunConfig:
    settings: dict[str, Any] = {
        "data": str(place / "forget.jsonl"),
        "normal": str(place / "normal.jsonl"),
        "model": ModelOptions(model=str(place / "model")),
        "max_new_tokens": 16,
        "max_tokens": 128,
        "train": {"batch_size": 4, "accumulation": 1, "max_steps": 4},
    }
    return HarmfulRunConfig(**{**settings, **changes})
