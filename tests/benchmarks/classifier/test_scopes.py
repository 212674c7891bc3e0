"""Scopes are divided into halves."""

from __future__ import annotations

from pathlib import Path

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
