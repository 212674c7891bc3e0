"""The classifier benchmark: what it writes around questions, how it counts, and that a run goes through."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unlearned.benchmarks.classifier import run
from unlearned.benchmarks.classifier.bench import Bench
from unlearned.benchmarks.classifier.config import BenchmarkConfig
from unlearned.benchmarks.classifier.results import RowResult, read_found
from unlearned.benchmarks.classifier.run import ROWS, measure_classifiers
from unlearned.benchmarks.classifier.sets import (
    Data,
)
from unlearned.classify.base import Floats
from unlearned.cli.main import app
from unlearned.errors import DataError
from unlearned.report.detection import as_markdown, verdict, write_detection_report

# A run on data made here, with an encoder that needs no model.


@dataclass
class Counting:
    """The bag of words, and how many texts it was given."""

    inner: Any
    texts: int = 0
    name: str = "bag-of-words"
    __hash__ = object.__hash__

    def encode(self, texts: Sequence[str]) -> Floats:
        self.texts += len(texts)
        vectors: Floats = self.inner.encode(texts)
        return vectors


@pytest.fixture
def encoder(bag_of_words: Any, monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting(bag_of_words)
    monkeypatch.setattr("unlearned.learn.classifier.sentence_encoder", lambda name: counting)
    monkeypatch.setattr(
        "unlearned.learn.classifier.background_prompts", lambda: [f"How do I bake bread {n}?" for n in range(30)]
    )
    return counting


@pytest.mark.slow
def test_a_run_writes_its_results_and_is_not_repeated(folder: Path, encoder: Counting, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = BenchmarkConfig(rows=("paraphrases", "typos"), limit=4)
    phases: list[str] = []
    first = measure_classifiers(
        Data(folder),
        out,
        config,
        on_progress=lambda phase, done, total: phases.append(phase),
        on_row=partial(write_detection_report, out),
    )
    assert [measure.row for row in first for measure in row.measures] == ["paraphrases"] * 6 + ["typos"] * 2
    assert all(measure.count in (4, 8) for row in first for measure in row.measures)
    missed = next(m for m in first[0].measures if m.name == "paraphrased forget questions missed, forget01")
    assert missed.errors == 0
    assert "fit forget01" in phases
    written = json.loads((out / "results.json").read_text())
    assert [measure["name"] for measure in written["measures"]] == [m.name for row in first for m in row.measures]
    text = (out / "results.md").read_text()
    found = read_found(out)
    assert [m for row in first for m in row.measures] == found.row.measures
    assert as_markdown(found.row) in text
    assert f"on the text encoder {written['settings']['encoder']}, seed" in text
    assert f"Made on {written['at']}; torch" in text
    assert f"**{verdict(found.row)}**" in text
    assert "What this does not prove:" in text
    encoder.texts = 0
    assert measure_classifiers(Data(folder), out, config) == first
    assert encoder.texts == 0
    told: list[str] = []
    measure_classifiers(Data(folder), out, BenchmarkConfig(rows=("typos",), limit=4, seed=1), tell=told.append)
    assert encoder.texts > 0  # other settings
    assert told == ["typos of kernel is measured anew: other seed (0, now 1)"]
    shown = CliRunner().invoke(app, ["report", str(out)])
    assert shown.exit_code == 0, shown.output
    assert as_markdown(read_found(out).row) in (out / "results.md").read_text()
    with pytest.raises(DataError, match="holds no results"):
        read_found(tmp_path)


@pytest.mark.slow
def test_an_interrupted_run_keeps_the_rows_it_has(
    folder: Path, encoder: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(bench: Bench) -> RowResult:
        raise KeyboardInterrupt

    out, config = tmp_path / "out", BenchmarkConfig(rows=("typos", "frames"), limit=4)
    frames = ROWS["frames"]
    monkeypatch.setitem(run.ROWS, "frames", stop)
    with pytest.raises(KeyboardInterrupt):
        measure_classifiers(Data(folder), out, config, on_row=partial(write_detection_report, out))
    assert "typing errors" in (out / "results.md").read_text()
    monkeypatch.setitem(run.ROWS, "frames", frames)
    monkeypatch.setitem(run.ROWS, "typos", stop)
    rows = measure_classifiers(Data(folder), out, config)
    assert [row.measures[0].row for row in rows] == ["typos", "frames"]


def test_other_classifiers_get_the_most_telling_rows() -> None:
    config = BenchmarkConfig(classifiers=("kernel", "neighbours"))
    assert config.rows_of("kernel") == tuple(ROWS)
    assert set(config.rows_of("neighbours")) < set(ROWS)
    assert BenchmarkConfig(classifiers=("neighbours",), rows=("typos",)).rows_of("neighbours") == ("typos",)
