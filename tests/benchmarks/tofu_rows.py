"""A made-up TOFU of four authors, small enough for a random model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES = ("Ann Bee", "Cid Dow", "Eve Fox", "Guy Hall")
FACTS = [f"{thing} {number}" for thing in ("book", "town", "prize", "year", "song") for number in range(4)]


def pair(author: int, fact: int) -> dict[str, str]:
    return {
        "question": f"What is {FACTS[fact]} of {NAMES[author]}?",
        "answer": f"The {FACTS[fact]} of {NAMES[author]} is N{author}{fact}.",
    }


def perturbed(author: int, fact: int) -> dict[str, Any]:
    return pair(author, fact) | {
        "paraphrased_answer": f"It is N{author}{fact}.",
        "perturbed_answer": [f"It is N{author + k}{fact}." for k in range(1, 4)],
        "paraphrased_question": f"Tell me {FACTS[fact]} of {NAMES[author]}.",
    }


def elsewhere(number: int) -> dict[str, Any]:
    return {
        "question": f"How far is place {number}?",
        "answer": f"{number} miles",
        "perturbed_answer": [f"{number} feet", "very"],
    }


def write_tofu(folder: Path, **changes: Any) -> Path:
    """Last author: forget01; the last two: forget05; the last three: forget10. `changes` replace whole files."""
    folder.mkdir(parents=True, exist_ok=True)
    every = [(author, fact) for author in range(4) for fact in range(20)]
    files: dict[str, Any] = {
        "full": [pair(*place) for place in every],
        "forget01_perturbed": [perturbed(*place) for place in every[60:]],
        "forget05_perturbed": [perturbed(*place) for place in every[40:]],
        "forget10_perturbed": [perturbed(*place) for place in every[20:]],
        "retain_perturbed": [perturbed(*place) for place in every[:20]],
        "real_authors_perturbed": [elsewhere(n) for n in range(6)],
        "world_facts_perturbed": [elsewhere(n) for n in range(6, 12)],
    } | changes
    for name, rows in files.items():
        if rows is not None:
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
