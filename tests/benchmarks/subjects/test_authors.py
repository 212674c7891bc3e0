"""Authors are subjects by their names alone."""

from __future__ import annotations

from pathlib import Path

from tofu_rows import write_tofu

from unlearned.benchmarks.subjects.authors import tofu_authors


def test_authors_of_tofu_are_subjects_by_their_names_alone(tmp_path: Path) -> None:
    authors = tofu_authors(write_tofu(tmp_path), 3)
    assert [author.names for author in authors] == [("Cid Dow",), ("Eve Fox",), ("Guy Hall",)]
    assert all(len(author.named) == 20 and not author.content for author in authors)
    assert all("Guy Hall" in question for question in authors[-1].named)
