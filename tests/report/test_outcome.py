"""The page of an outcome."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from quiz_results import items, made, registered

from unlearned.benchmarks.results import (
    ModelResults,
    write_results,
)
from unlearned.report.outcome import tables, write_outcome_report


@pytest.fixture(autouse=True)
def quiz(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


def test_the_best_is_marked_and_further_sets_have_a_table(tmp_path: Path) -> None:
    main, further = tables(made())
    marked = {row.label: row.cells[0].best for row in main.sections[0].rows}
    assert marked == {"start": False, "eco": True, "ga": False}
    assert [row.label for row in further.sections[0].rows] == ["far"]
    assert [column.title for column in further.columns] == ["start", "eco", "ga"]


def test_seeds_are_averaged() -> None:
    models = tuple(
        ModelResults(name=f"eco-seed{seed}", unlearner="eco", seed=seed, items=items(own))
        for seed, own in enumerate(([0, 1], [1, 1]))
    )
    (row,) = tables(replace(made(), models=models))[0].sections[0].rows
    assert row.cells[0].value == pytest.approx(0.75)
    assert row.cells[0].detail.endswith(" s")
    assert row.note == "2 seeds"


def test_the_report_is_one_page_with_escaped_text(tmp_path: Path) -> None:
    write_results(tmp_path, made())
    written = write_outcome_report(tmp_path)
    page = written.html.read_text()
    assert "It is &lt;only&gt; a quiz." in page
    assert "http" not in page
    markdown = written.markdown.read_text()
    assert "| eco | **0.200**" in markdown
    for text in (page, markdown):
        assert "Model: a-model (float32, cpu). Compared: eco and ga." in text
        assert "Data: rows (00); 10 items in 2 sets" in text
        assert "Made on 2026-01-31; a machine" in text
        assert "eco is better than the start model in none of 1 number" in text  # five items: the intervals meet
    assert "- It is <only> a quiz." in markdown
    plot = re.search(r'<svg[^>]*aria-label="accuracy".*?</svg>', page, re.DOTALL)
    assert plot is not None
    assert [name in plot[0] for name in ("start", "eco", "ga")] == [True] * 3
    assert r"\textbf{0.200}" in written.latex.read_text()


def test_results_of_an_earlier_version_have_no_date(tmp_path: Path) -> None:
    write_results(tmp_path, made())
    file = tmp_path / "results.json"
    data = json.loads(file.read_text())
    del data["at"]
    file.write_text(json.dumps(data))
    assert "The date was not recorded; a machine" in write_outcome_report(tmp_path).html.read_text()
