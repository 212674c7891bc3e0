"""The example of a benchmark of one's own; and with it what the runner does for every benchmark."""

from __future__ import annotations

import copy
import json
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tiny_rows import FORGET, RETAIN
from unlearned.benchmarks.results import merge, read_results
from unlearned.benchmarks.runner import run
from unlearned.benchmarks.spec import specs
from unlearned.errors import ConfigError, DataError, MissingExtraError
from unlearned.models import ModelOptions
from unlearned.report.outcome import write_outcome_report

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_benchmark.py"


@pytest.fixture(scope="module")
def quiz() -> Iterator[dict[str, Any]]:
    known = dict(specs._targets)
    yield runpy.run_path(str(EXAMPLE))
    specs._targets.clear()
    specs._targets.update(known)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    for where in ("unlearned.learn.classifier", "unlearned.artifact.artifact"):
        monkeypatch.setattr(f"{where}.sentence_encoder", lambda name: bag_of_words)
    monkeypatch.setattr("unlearned.learn.classifier.background_vectors", lambda encoder: {})
    monkeypatch.setattr("unlearned.learn.classifier.background_prompts", lambda: ["What is the weather like?", "Sing."])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    folder = tmp_path_factory.mktemp("quiz")
    copy.deepcopy(tiny_model).save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    rows = [
        {"id": str(number), "text": text, "answer": "a", "forget": text in FORGET}
        for number, text in enumerate([*FORGET, *RETAIN])
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def made(quiz: dict[str, Any], place: Path, **changes: Any) -> Any:
    settings = {
        "data": place / "rows.jsonl",
        "model": ModelOptions(model=str(place / "model")),
        "unlearners": ("none", "prompting"),
    }
    return quiz["Quiz"](quiz["QuizConfig"](**(settings | changes)))


def refuse(*arguments: Any, **more: Any) -> Any:
    raise AssertionError("this was done already")


def test_the_example_is_short_and_makes_a_report(quiz: dict[str, Any], place: Path, tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 80
    results = run(made(quiz, place), tmp_path)
    assert [model.name for model in results.models] == ["start", "none-seed0", "prompting-seed0"]
    assert results.models[1].items == results.models[0].items
    assert [item["said"] for item in results.models[2].items] != [item["said"] for item in results.models[0].items]
    assert read_results(tmp_path) == results
    assert "An answer in other words counts as wrong." in write_outcome_report(tmp_path).html.read_text()


def test_an_artifact_is_fitted_once_and_shared_by_shards(quiz: dict[str, Any], place: Path, tmp_path: Path) -> None:
    own = made(quiz, place, unlearners=("eco-hand",), fit={"classifier": "neighbours"})
    whole = run(own, tmp_path / "1")
    fitted = tmp_path / "1/artifacts/seed0/eco-hand/unlearner.json"
    at = fitted.stat().st_mtime_ns
    for number in (1, 2):
        run(own, tmp_path / str(number), shard=(number, 2))
    assert fitted.stat().st_mtime_ns == at
    joined = merge([tmp_path / "1", tmp_path / "2"], tmp_path / "joined")
    for one, other in zip(whole.models, joined.models, strict=True):
        assert [(i["id"], i["said"]) for i in one.items] == [(i["id"], i["said"]) for i in other.items]
    with pytest.raises(ConfigError, match="shard has no question"):
        run(own, tmp_path / "none", shard=(9, 9))


def test_what_is_finished_is_asked_anew_for_a_reason_that_is_told(
    quiz: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, said = made(quiz, place, unlearners=("none",)), list[str]()
    first = run(own, tmp_path, tell=said.append)
    with monkeypatch.context() as patch:
        patch.setattr(quiz["Quiz"], "ask", refuse)
        assert run(own, tmp_path, tell=said.append).models == first.models
    assert said == []
    raised = replace(own.spec, version=2)
    monkeypatch.setattr(quiz["Quiz"], "spec", raised)
    monkeypatch.setitem(specs._targets, "quiz", raised)
    assert any("by version 1 of the benchmark, which now is at version 2" in line for line in _told(tmp_path))
    run(own, tmp_path, tell=said.append)
    assert said == [f"{name} is asked anew: other version (1, now 2)" for name in ("start", "none-seed0")]
    step = tmp_path / "steps/start.json"
    kept = json.loads(step.read_text())
    kept["settings"] = {"version": "0.1", "code": "00"}
    step.write_text(json.dumps(kept))
    run(own, tmp_path, tell=said.append)
    assert said[2:] == ["start is asked anew: it was kept by an earlier release, which did not record versions"]
    monkeypatch.setitem(specs._targets, "quiz", replace(raised, version=1))
    with pytest.raises(DataError, match="version 2 of the benchmark 'quiz'; this release has 1"):
        read_results(tmp_path)


def _told(folder: Path) -> list[str]:
    return write_outcome_report(folder).markdown.read_text().splitlines()


def test_what_is_missing_is_told_before_anything_is_loaded(
    quiz: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = made(quiz, place)
    monkeypatch.setattr(quiz["Quiz"], "load", refuse)
    monkeypatch.setattr(quiz["Quiz"], "packages", lambda self: (("no_such_module", "metrics", "A quiz"),))
    with pytest.raises(MissingExtraError, match="A quiz needs 'no_such_module'"):
        run(own, tmp_path)
    monkeypatch.setattr(quiz["Quiz"], "packages", lambda self: ())
    monkeypatch.setattr(quiz["Quiz"], "shards", False)
    with pytest.raises(ConfigError, match="cannot be asked alone"):
        run(own, tmp_path, shard=(1, 2))
