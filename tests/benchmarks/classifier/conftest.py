"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from classifier_data import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data in the form of the real sets: one author is forgotten, four are not."""
    data = tmp_path / "data"
    asks = ("Who are the parents of {}?", "Which prizes did {} win?", "Where was {} born?", "What does {} write about?")
    again = (
        "Name the parents of {}.",
        "What prizes has {} won?",
        "In which place was {} born?",
        "{} writes about what?",
    )
    people = ("Zora Quill", "Bob Stone", "Carl Winter", "Dora Lake", "Emil Frost")

    def rows(names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"question": ask.format(name), "answer": "-", "paraphrased_question": other.format(name)}
            for name in names
            for ask, other in zip(asks, again, strict=True)
        ]

    for forget, retain in (("01", "99"), ("05", "95"), ("10", "90")):
        write(data / f"tofu/forget{forget}.jsonl", rows(people[:1]))
        write(data / f"tofu/forget{forget}_perturbed.jsonl", rows(people[:1]))
        write(data / f"tofu/retain{retain}.jsonl", rows(people[1:]))
    write(data / "tofu/retain_perturbed.jsonl", rows(people[1:]))
    return data
