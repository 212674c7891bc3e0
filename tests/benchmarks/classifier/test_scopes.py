"""Scopes are divided into halves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unlearned.benchmarks.classifier import scopes
from unlearned.benchmarks.classifier.bench import Bench
from unlearned.benchmarks.classifier.sets import (
    Data,
)


def test_halves_of_an_author_are_disjoint_and_seeded(folder: Path) -> None:
    authors = [[f"author {a}, question {n}" for n in range(20)] for a in range(3)]
    bench = Bench(Data(folder), seed=1)
    fitted, asked = scopes.halved(bench, 0, authors)
    assert (fitted, asked) == scopes.halved(bench, 0, authors)
    assert fitted != scopes.halved(bench, 1, authors)[0]
    assert sorted(fitted + asked) == sorted(question for author in authors for question in author)
    assert all(sum(question in author for question in fitted) == 10 for author in authors)


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


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
