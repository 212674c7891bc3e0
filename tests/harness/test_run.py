"""`unlearned eval`: tasks with and without the unlearner, in shards, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from local_tasks import write_tasks
from task_functions import edit, with_function
from typer.testing import CliRunner

from tiny_rows import FORGET, RETAIN
from unlearned.artifact.artifact import Artifact
from unlearned.benchmarks.lm_eval import ALL, aggregate
from unlearned.benchmarks.results import merge, read_results
from unlearned.cli.main import app
from unlearned.corrupt.corruption import Corruption
from unlearned.errors import ConfigError, DataError, MissingExtraError, UnknownNameError
from unlearned.harness.config import EvalConfig
from unlearned.harness.run import run_eval
from unlearned.models import ModelOptions, load_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning"),
]

QUESTIONS = len(FORGET) + len(RETAIN)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture
def model(tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> ModelOptions:
    tiny_model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    return ModelOptions(model=str(tmp_path / "model"))


@pytest.fixture
def artifact(make_artifact: Any, bag_of_words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    found: Artifact = make_artifact()
    return found.save_pretrained(tmp_path / "artifact")


def test_the_start_model_has_the_harness_own_numbers_and_unflagged_questions_keep_them(
    model: ModelOptions, artifact: Path, tasks: Path, tmp_path: Path
) -> None:
    config = EvalConfig(
        tasks=("local_choice", "local_letters"),
        model=model,
        artifacts=(artifact,),
        plain=True,
        include_path=tasks,
        num_fewshot=1,
    )
    start, eco = run_eval(config, tmp_path / "out").models
    loaded, tokenizer = load_model(model)
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    for name in config.tasks:
        lm = HFLM(loaded, tokenizer=tokenizer, batch_size=16)
        options = {"task_manager": manager, "bootstrap_iters": 0, "num_fewshot": 1}
        samples = lm_eval.simple_evaluate(lm, tasks=[name], **options)["samples"][name]
        assert [sample["acc"] for sample in samples] == [item["acc"] for item in start.items if item["set"] == name]
    assert not any(item["flagged"] for item in start.items)
    for item in eco.items:
        assert item["unchanged"] == 1 - item["flagged"]
    assert {item["flagged"] for item in eco.items} == {0.0, 1.0}
    assert read_results(tmp_path / "out").models == (start, eco)


def test_a_group_is_one_set_and_its_tasks_stand_below_it(model: ModelOptions, tasks: Path, tmp_path: Path) -> None:
    config = EvalConfig(tasks=("local",), model=model, include_path=tasks, limit=5)
    outcome = run_eval(config, tmp_path)
    (start,) = outcome.models
    assert {item["set"] for item in start.items} == {"local"}
    assert [item["index"] for item in start.items] == list(range(4 * 5))
    values = aggregate(start.items)
    assert set(values) == {ALL, "local", *(f"local: local_{n}" for n in ("choice", "letters", "answer", "text"))}
    assert values["local: local_choice"]["score"].count == 5
    assert "score" not in values["local: local_text"]  # a perplexity is no mean over questions
    assert "word_perplexity,none" in outcome.extra["results"]["start: local"]["local_text"]


def test_shards_are_put_together_to_the_whole(model: ModelOptions, artifact: Path, tasks: Path, tmp_path: Path) -> None:
    def config(**more: Any) -> EvalConfig:
        return EvalConfig(
            tasks=("local_choice",), model=model, artifacts=(artifact,), plain=True, include_path=tasks, limit=7, **more
        )

    whole = run_eval(config(), tmp_path / "whole")
    folders = [tmp_path / "first", tmp_path / "second"]
    for number, folder in enumerate(folders, start=1):
        run_eval(config(shard=(number, 2)), folder)
    merged = merge(folders, tmp_path / "merged")
    assert merged.data == whole.data
    for one, other in zip(merged.models, whole.models, strict=True):
        assert [(i["id"], i["index"], i["acc"], i["flagged"]) for i in one.items] == [
            (i["id"], i["index"], i["acc"], i["flagged"]) for i in other.items
        ]


def test_finished_tasks_are_kept(
    model: ModelOptions, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_eval(EvalConfig(tasks=("local_choice",), model=model, include_path=tasks), tmp_path)
    asked: list[Any] = []
    evaluate = lm_eval.simple_evaluate
    monkeypatch.setattr(lm_eval, "simple_evaluate", lambda *a, **k: asked.append(a) or evaluate(*a, **k))
    again = run_eval(EvalConfig(tasks=("local_choice", "local_letters"), model=model, include_path=tasks), tmp_path)
    assert len(asked) == 1
    assert again.models[0].items[:QUESTIONS] == first.models[0].items
    run_eval(EvalConfig(tasks=("local_choice",), model=model, include_path=tasks, num_fewshot=1), tmp_path)
    assert len(asked) == 2


def test_a_task_that_was_edited_is_asked_again_and_not_merged(model: ModelOptions, tmp_path: Path) -> None:
    folder = with_function(tmp_path / "tasks")

    def config(**more: Any) -> EvalConfig:
        return EvalConfig(tasks=("local_choice",), model=model, include_path=folder, limit=4, **more)

    before = run_eval(config(), tmp_path / "out").models[0].items
    run_eval(config(shard=(1, 2)), tmp_path / "shard1")
    edit(folder, doc_to_text="Think: {{question}}")
    after = run_eval(config(), tmp_path / "out").models[0].items
    assert [item["responses"] for item in after] != [item["responses"] for item in before]
    run_eval(config(shard=(2, 2)), tmp_path / "shard2")
    with pytest.raises(DataError, match="data than"):
        merge([tmp_path / "shard1", tmp_path / "shard2"], tmp_path / "merged")


def test_detection_runs_once_for_all_strengths(
    model: ModelOptions,
    tasks: Path,
    tmp_path: Path,
    make_artifact: Any,
    make_scope: Any,
    artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stronger = make_scope(corruption=Corruption(strength=9.0, embedding_std=0.02))
    other = make_artifact(stronger).save_pretrained(tmp_path / "stronger")

    def run(place: Path, out: str, verdicts: Path | None) -> list[dict[str, Any]]:
        config = EvalConfig(
            tasks=("local_choice",), model=model, artifacts=(place,), include_path=tasks, verdicts=verdicts
        )
        return [dict(item) for item in run_eval(config, tmp_path / out).models[0].items]

    first = run(artifact, "first", None)
    monkeypatch.setattr("unlearned.unlearners.eco.detect_in_conversations", None)  # nothing is detected again
    second = run(other, "second", tmp_path / "first" / "verdicts")
    again = run(other, "first", None)
    assert [item["flagged"] for item in second] == [item["flagged"] for item in first]
    assert {item["flagged"] for item in second} == {0.0, 1.0}
    assert [item["responses"] for item in second] != [item["responses"] for item in first]
    assert again == second


def test_a_missing_extra_is_told_before_anything_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("unlearned.extras.import_module", absent)
    monkeypatch.setattr("unlearned.harness.run.run_eval", None)
    with pytest.raises(MissingExtraError, match="jinja2"):
        CliRunner().invoke(app, ["eval", "--tasks", "x"], catch_exceptions=False)


def test_a_shard_without_questions_is_refused_before_the_model_is_loaded(tasks: Path, tmp_path: Path) -> None:
    nowhere = ModelOptions(model=str(tmp_path / "nowhere"))
    config = EvalConfig(tasks=("local_choice",), model=nowhere, include_path=tasks, limit=2, shard=(3, 3))
    with pytest.raises(DataError, match="fewer questions than"):
        run_eval(config, tmp_path / "out")


def test_the_command_prints_and_writes_a_comparison(
    model: ModelOptions, artifact: Path, tasks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["eval", "--tasks", "local_choice,local_answer", "--model", model.model, "--include-path", str(tasks)]
    arguments += ["--artifact", str(artifact), "--plain", "--apply-chat-template", "--out", str(out), "--limit", "6"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "eco" in result.output
    assert "start" in result.output
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "local_choice" in page
    values = json.loads((out / "results.json").read_text(encoding="utf-8"))["models"][1]["values"]
    assert values["local_choice"]["score"]["count"] == 6


def test_the_command_says_what_is_done_and_nothing_of_its_libraries(
    model: ModelOptions, tasks: Path, tmp_path: Path
) -> None:
    """In a process of its own, as the user's terminal has it."""
    command = ["eval", "--tasks", "local_choice", "--model", model.model, "--include-path", str(tasks), "--limit", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "unlearned", *command, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=tmp_path,  # no repository
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in re.split(r"[\r\n]+", done.stderr) if line.strip()]
    own = ("start: local_choice (1 of 1)", "Tokenizing ", "Checking ", "Running ")  # what is done, and how far
    assert [line for line in lines if not line.startswith(own)] == []


def test_a_task_whose_data_cannot_be_fetched_is_one_clear_line(model: ModelOptions, tmp_path: Path) -> None:
    task = {"task": "far_away", "dataset_path": "nobody/nothing-here", "output_type": "multiple_choice"}
    (tmp_path / "far.yaml").write_text(json.dumps(task), encoding="utf-8")
    with pytest.raises(DataError, match=r"The task 'far_away' cannot be loaded: .*local data") as caught:
        run_eval(EvalConfig(tasks=("far_away",), model=model, include_path=tmp_path), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_wrong_options_are_refused(model: ModelOptions, tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'local_choice'"):
        run_eval(EvalConfig(tasks=("local_choise",), model=model, include_path=tasks), tmp_path)
    with pytest.raises(DataError, match="no folder"):
        run_eval(EvalConfig(tasks=("a",), model=model, include_path=tmp_path / "nowhere"), tmp_path)
    with pytest.raises(DataError, match="fewer questions than"):
        run_eval(EvalConfig(tasks=("local_choice",), model=model, include_path=tasks, limit=2, shard=(3, 3)), tmp_path)
    with pytest.raises(ConfigError, match="No tasks"):
        EvalConfig(tasks=())
    with pytest.raises(ConfigError, match="limit=0"):
        EvalConfig(tasks=("a",), limit=0)
