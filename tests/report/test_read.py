"""What the report reads: runs as they are written, and one clear line for everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_run import make_run

from unlearned.benchmarks.tofu.config import SPLITS
from unlearned.benchmarks.tofu.run import FORMAT as WRITTEN
from unlearned.errors import ArtifactIntegrityError, DataError
from unlearned.models import EMBEDDED_ID
from unlearned.report.read import FORMAT, read_answers, read_run, read_scope
from unlearned.report.run import AUTHORS


def change(file: Path, edit: Callable[[Any], None]) -> None:
    data = json.loads(file.read_text())
    edit(data)
    file.write_text(json.dumps(data))


def test_the_format_is_the_benchmark_s() -> None:
    assert FORMAT == WRITTEN
    assert set(AUTHORS) == set(SPLITS)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    data = make_run(tmp_path / "run", seeds=2, forget=6)
    run = read_run(tmp_path / "run")
    assert (run.name, run.model, run.split, run.seeds, run.trained) == ("run", EMBEDDED_ID, "forget01", (0, 1), True)
    assert run.rows == data["data"]["rows"]
    assert [model.name for model in run.models] == [model["name"] for model in data["models"]]
    assert [model.label for model in run.unlearned] == ["none", "eco", "eco", "prompting"]
    for model, written in zip(run.models, data["models"], strict=True):
        assert model.values["model_utility"].value == written["scores"]["model_utility"]
        assert model.values["model_utility"].count == 9 + 6 + 7
        assert model.values["forget_leak_rate"].value == written["generations"]["forget"]["leak_rate"]["value"]
        ratios = [item.log_ratio for item in model.items["forget"]]
        assert ratios == [item["log_truth_ratio"] for item in written["items"]["forget"]]
        assert model.items["paired"][0].log_ratio is None


def test_answers_keep_texts_and_corrupted_spans(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    texts = read_answers(read_run(tmp_path / "run"))
    step = json.loads((tmp_path / "run/steps/eco-seed0.json").read_text())["items"]["forget"][0]
    answer = texts["eco-seed0"]["forget"][0]
    assert (answer.generated, answer.prompt) == (step["generated"], step["prompt"])
    assert answer.corrupted == tuple(map(tuple, step["corrupted"]))
    assert texts["start"]["forget"][0].corrupted == ()


def test_an_older_run_without_spans_is_read(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    change(tmp_path / "run/steps/eco-seed0.json", lambda data: data["items"]["forget"][0].pop("corrupted"))
    texts = read_answers(read_run(tmp_path / "run"))
    assert texts["eco-seed0"]["forget"][0].corrupted is None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda data: data.update(format=2), "'tofu', format 2; the report reads 'tofu', format 1"),
        (lambda data: data.update(benchmark="muse"), "is of 'muse', format 1"),
        (lambda data: data.pop("machine"), r"KeyError: 'machine'"),
        (lambda data: data["models"][0].pop("items"), r"KeyError: 'items'"),
        (lambda data: data["models"].pop(1), r"model retained"),
        (lambda data: data.update(models=3), "Run the benchmark again"),
    ],
)
def test_results_of_another_form_are_one_clear_error(tmp_path: Path, edit: Any, message: str) -> None:
    make_run(tmp_path / "run")
    change(tmp_path / "run/results.json", edit)
    with pytest.raises(DataError, match=message):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("text", ["", '{"format": 1', "[]", "\x00"])
def test_a_broken_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match="Run"):
        read_run(tmp_path)


def test_an_unfinished_run_is_told_from_no_run(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    run = read_run(tmp_path / "run")
    change(tmp_path / "run/steps/eco-seed0.json", lambda data: data["items"]["forget"][1].update(leak=0.123))
    with pytest.raises(DataError, match=r"does not fit results.json: the run was started again and has not ended"):
        read_answers(run)
    (tmp_path / "run/steps/eco-seed0.json").unlink()
    with pytest.raises(DataError, match=r"eco-seed0.json is missing"):
        read_answers(run)
    (tmp_path / "run/results.json").unlink()
    with pytest.raises(DataError, match=r"holds no results.json: no finished run"):
        read_run(tmp_path / "run")


def test_artifacts_are_checked_and_may_be_missing(run_folder: Any) -> None:
    folder = run_folder()
    run = read_run(folder)
    scope = read_scope(run, 0, "eco")
    assert scope is not None
    assert scope.strength is not None
    assert len(scope.strength.trace) == 3
    assert read_scope(run, 0, "prompting") is None
    change(folder / "artifacts/seed0/eco/unlearner.json", lambda data: data["scopes"][0].update(threshold=0.9))
    with pytest.raises(ArtifactIntegrityError, match="altered"):
        read_scope(run, 0, "eco")


def test_a_local_model_s_path_is_not_shown(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    change(tmp_path / "run/results.json", lambda d: d["config"]["model"].update(model="/home/someone/models/mine"))
    assert read_run(tmp_path / "run").model == "mine"
