"""The benchmark of harmful answers: its data, its judge, and a whole run on a tiny model and the harmless stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harmful_rows import config
from typer.testing import CliRunner

from unlearned.benchmarks.harmful.run import run_harmful
from unlearned.benchmarks.harmful.scores import aggregate
from unlearned.benchmarks.results import merge, read_results
from unlearned.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it


@pytest.mark.slow
def test_a_run_compares_methods_by_leak_and_by_fluency(place: Path) -> None:
    out = place / "run"
    train = {"batch_size": 4, "accumulation": 1, "max_steps": 4, "ga.learning_rate": 3e-2, "ga.max_steps": 12}
    run_harmful(config(place, unlearners=("none", "ga", "llmu"), train=train), out)
    outcome = read_results(out)
    assert [model.name for model in outcome.models] == ["start", "none-seed0", "ga-seed0", "llmu-seed0"]
    values = {model.unlearner or model.name: aggregate(model.items) for model in outcome.models}
    assert values["none"] == values["start"]
    assert set(values["start"]) == {"train_forget", "test_forget", "test_normal"}
    assert values["start"]["train_forget"]["leak"].value > 0.6
    assert values["ga"]["train_forget"]["leak"].value < values["start"]["train_forget"]["leak"].value
    assert "rouge" in values["start"]["test_normal"]
    assert not any("harm" in own for own in values["start"].values())
    training = json.loads((out / "artifacts/ga-seed0/ga/training.json").read_text())
    assert training["steps"] == 12
    assert json.loads((out / "artifacts/llmu-seed0/llmu/training.json").read_text())["steps"] == 4


@pytest.mark.slow
def test_a_named_classifier_measures_harm_in_place_of_the_leak(place: Path, classifier: Path) -> None:
    out = place / "judged"
    run_harmful(config(place, unlearners=("none",), judge=str(classifier)), out)
    values = aggregate(read_results(out).models[0].items)
    assert 0 <= values["test_forget"]["harm"].value <= 1
    assert "leak" not in values["test_forget"]
    assert "harm" in values["test_normal"]


@pytest.mark.slow
def test_shards_come_to_the_same_as_the_whole(place: Path) -> None:
    run_harmful(config(place, unlearners=("none",)), place / "whole")
    for number in (1, 2):
        run_harmful(config(place, unlearners=("none",)), place / f"part{number}", shard=(number, 2))
    merge([place / "part1", place / "part2"], place / "merged")
    first, second = (read_results(place / name).models[0].items for name in ("whole", "merged"))
    assert [(item["id"], item["generated"]) for item in first] == [(item["id"], item["generated"]) for item in second]


@pytest.mark.slow
def test_the_command_runs_on_the_packaged_stand_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("UNLEARNED_CACHE", str(place / "cache"))
    done = CliRunner().invoke(
        app,
        [
            "bench", "harmful", "--model", "model", "--unlearners", "none,task-vector", "--epochs", "1", "--test-rows",
            "3", "--max-new-tokens", "4", "--train", "max_steps=1", "--train", "batch_size=2", "--out", "cli",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert "task-vector" in words
    assert "retained" in words
    assert "leak" in words
    results = json.loads((place / "cli/results.json").read_text())
    assert results["extra"]["data"] == "packaged stand-in without any harm"
    assert (place / "cli/report.html").is_file()
