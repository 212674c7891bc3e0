"""Whole runs of `bench book` and `bench news` on a random model, and what they keep."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from copyright_texts import OTHER, TALE, write_news
from typer.testing import CliRunner

from unlearned.benchmarks.copyright import run as module
from unlearned.benchmarks.copyright.config import CopyrightEvaluationConfig, CopyrightRunConfig, StartConfig
from unlearned.benchmarks.copyright.run import run_copyright
from unlearned.benchmarks.results import Results, merge, read_results
from unlearned.cli.main import app
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
]

QUICK = {"classifier": "neighbours", "search": {"max_evaluations": 6}, "fluency": False, "max_examples": 3}
UNLEARNERS = ("none", "prompting", "eco-hand", "ga", "mismatch")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    set_up(monkeypatch, bag_of_words)


def set_up(patch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    for where in ("unlearned.learn.classifier", "unlearned.artifact.artifact"):
        patch.setattr(f"{where}.sentence_encoder", lambda name: bag_of_words)
    patch.setattr("unlearned.learn.classifier.background_vectors", lambda encoder: {})
    for where in ("classifier", "strength_problem"):
        patch.setattr(f"unlearned.learn.{where}.background_prompts", lambda: ["What is the weather like?", "Sing."])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    folder = tmp_path_factory.mktemp("copyright")
    copy.deepcopy(tiny_model).save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    (folder / "tale.txt").write_text(TALE)
    (folder / "pond.txt").write_text(OTHER)
    write_news(folder)
    return folder


def config(place: Path, **changes: Any) -> CopyrightRunConfig:
    values: dict[str, Any] = {
        "task": "book",
        "forget": str(place / "tale.txt"),
        "other": str(place / "pond.txt"),
        "max_tokens": 90,
        "model": ModelOptions(model=str(place / "model")),
        "training": StartConfig(adapter=False, epochs=25, learning_rate=0.03, batch_size=2),
        "unlearners": UNLEARNERS,
        "fit": {**QUICK},
        "train": {"max_steps": 3, "accumulation": 1, "warmup": 0.0},
        "evaluation": CopyrightEvaluationConfig(max_new_tokens=12, batch_size=4),
    }
    return CopyrightRunConfig(**(values | changes))


def run(place: Path, out: Path, **changes: Any) -> Results:
    shard = changes.pop("shard", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run_copyright(config(place, **changes), out, shard=shard, cache=place / "cache")


@pytest.fixture(scope="module")
def done(place: Path, tmp_path_factory: pytest.TempPathFactory, bag_of_words: Any) -> Path:
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        set_up(patch, bag_of_words)
        run(place, out)
    return out


def by_name(outcome: Results) -> dict[str, list[Any]]:
    return {model.unlearner or model.name: list(model.items) for model in outcome.models}


def test_every_model_is_asked_everything(done: Path) -> None:
    found = by_name(read_results(done))
    assert list(found) == ["start", "retained", *UNLEARNERS]
    ids = [(item["set"], item["id"]) for item in found["start"]]
    assert {name for name, _ in ids} == {"forget", "held-out"}
    for items in found.values():
        assert [(item["set"], item["id"]) for item in items] == ids
        forget = [item for item in items if item["set"] == "forget"]
        assert all(0 <= item["rouge"] <= 1 and item["tokens"] <= 12 and "as_retained" in item for item in forget)
        assert all(
            set(item) == {"id", "set", "index", "changed", "flagged", "held_out_loss"} for item in items[len(forget) :]
        )


def test_the_start_model_has_learned_the_passages(done: Path) -> None:
    found = by_name(read_results(done))

    def mean(name: str, key: str) -> float:
        values = [item[key] for item in found[name] if item["set"] == "forget"]
        return sum(values) / len(values)

    assert mean("start", "loss") < mean("retained", "loss") - 1
    assert mean("start", "exact_memorisation") > mean("retained", "exact_memorisation") + 0.2


def test_what_nobody_changed_has_the_start_models_scores(done: Path) -> None:
    found = by_name(read_results(done))
    start = {item["id"]: item for item in found["start"]}
    assert found["none"] == found["start"]
    assert all(item["changed"] for item in found["prompting"])
    flagged = [item for item in found["eco-hand"] if item["flagged"]]
    assert flagged, "prompts that the detector was fitted with"
    assert {item["set"] for item in flagged} == {"forget"}
    assert all(item == start[item["id"]] for item in found["eco-hand"] if not item["changed"])
    assert any(item["loss"] != start[item["id"]]["loss"] for item in flagged)
    assert not any(item["changed"] for item in found["ga"])
    assert any(item["loss"] != start[item["id"]]["loss"] for item in found["ga"] if item["set"] == "forget")


def test_a_finished_run_is_not_repeated(place: Path, done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (done / "results.json").read_text()

    def refuse(*arguments: Any, **more: Any) -> Any:
        raise AssertionError("evaluated again")

    monkeypatch.setattr(module, "evaluate", refuse)
    run(place, done)
    assert (done / "results.json").read_text() == before


def test_shards_make_the_whole(place: Path, done: Path, tmp_path: Path) -> None:
    unlearners = ("none", "prompting")
    for number in (1, 2):
        run(place, tmp_path / str(number), shard=(number, 2), unlearners=unlearners)
    whole = by_name(merge([tmp_path / "1", tmp_path / "2"], tmp_path / "whole"))
    undivided = by_name(read_results(done))
    for name in ("start", "retained", *unlearners):
        for one, other in zip(whole[name], undivided[name], strict=True):
            assert (one["id"], one.get("generated")) == (other["id"], other.get("generated"))
            key = "loss" if one["set"] == "forget" else "held_out_loss"
            assert one[key] == pytest.approx(other[key], abs=1e-4)


def test_news_from_the_command_line(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARNED_CACHE", str(place / "cache"))
    command = ["bench", "news", "--data", str(place / "bbc.jsonl"), "--other", str(place / "cc.jsonl")]
    command += ["--other-rows", "5", "--model", str(place / "model"), "--unlearners", "none,prompting", "--lora"]
    command += ["--epochs", "1", "--max-tokens", "60", "--max-new-tokens", "5", "--out", str(tmp_path / "run")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["benchmark"] == "news"
    assert [model["name"] for model in results["models"]] == ["start", "retained", "none-seed0", "prompting-seed0"]
    assert results["models"][0]["values"]["forget"]["asg"]["count"] == 3
    assert (tmp_path / "run" / "report.html").is_file()


class EnoughError(Exception):
    """Raised where a test has seen enough."""


def test_articles_of_full_length_are_learned_in_one_piece(
    place: Path, tmp_path: Path, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def learn(load: Any, options: Any, texts: list[str], training: Any, *, max_tokens: int, **more: Any) -> Any:
        seen.update(texts=texts, max_tokens=max_tokens)
        raise EnoughError

    monkeypatch.setattr(module, "learned_by_heart", learn)
    news = {"task": "news", "forget": str(place / "bbc.jsonl"), "other": str(place / "cc.jsonl"), "other_rows": 5}
    for changes, most in ((news, 2 * 30), ({}, 30)):
        with pytest.raises(EnoughError):
            run(place, tmp_path / "run", max_tokens=30, **changes)
        lengths = [len(tiny_tokenizer(text, add_special_tokens=False)["input_ids"]) for text in seen["texts"]]
        assert max(lengths) < seen["max_tokens"] == most
        assert (max(lengths) > 30) == bool(changes), "an article has its own tokens besides those of its title"


def test_books_to_leave_out_are_named_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[CopyrightRunConfig] = []

    def stop(config: CopyrightRunConfig, *arguments: Any, **more: Any) -> Any:
        seen.append(config)
        raise EnoughError

    monkeypatch.setattr(module, "run_copyright", stop)
    command = ["bench", "book", "--leave-out", "Dracula", "--leave-out", "Emma", "--out", str(tmp_path)]
    assert isinstance(CliRunner().invoke(app, command).exception, EnoughError)
    assert seen[0].leave_out == ("Dracula", "Emma")


@pytest.mark.parametrize("benchmark", ["book", "news", "muse"])
@pytest.mark.parametrize("option", [("--epochs", "0"), ("--learning-rate", "-1e-4")])
def test_a_training_that_would_teach_nothing_is_refused_at_once(
    benchmark: str, option: tuple[str, str], tmp_path: Path
) -> None:
    refused = CliRunner().invoke(app, ["bench", benchmark, *option, "--out", str(tmp_path)])
    assert isinstance(refused.exception, ConfigError)
    assert f"{option[0].strip('-').replace('-', '_')}={float(option[1]):g}: must be above 0" in str(refused.exception)
    assert not list(tmp_path.iterdir())


def test_a_slip_on_the_command_line_is_told_at_once(tmp_path: Path) -> None:
    wrong = CliRunner().invoke(app, ["bench", "book", "--train", "epochs", "--out", str(tmp_path)])
    assert wrong.exit_code != 0
    assert not list(tmp_path.iterdir())
