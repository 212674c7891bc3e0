"""The sentiment benchmark as a whole, on a tiny model; and what each review's scores are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sentiment_rows import reviews
from transformers import LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from unlearned.benchmarks.results import merge, part, read_results
from unlearned.benchmarks.sentiment.config import SentimentRunConfig, SentimentSplit
from unlearned.benchmarks.sentiment.data import LABELS
from unlearned.benchmarks.sentiment.form import FORM
from unlearned.benchmarks.sentiment.run import instruction, run_sentiment
from unlearned.benchmarks.sentiment.scores import aggregate
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.cli.main import app
from unlearned.examples import Row
from unlearned.methods.data import Encoder, padded
from unlearned.models import ModelOptions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """The four sets, and a model that knows the training sets by heart: an adapter alone could not teach it them."""
    folder = tmp_path_factory.mktemp("user")
    known = [Row(row["text"], LABELS[row["label"]]) for about in ("harry", "the fox") for row in reviews(about)]
    batch = padded(Encoder(tiny_tokenizer, FORM, 128).examples(known, "test"), 0)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.1}))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(80):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05
    model.save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    (folder / "data").mkdir()
    about = {"train_forget": "harry", "train_retain": "the fox", "test_forget": "old harry", "test_retain": "a dog"}
    for name, who in about.items():
        (folder / f"data/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reviews(who)))
    return folder


def config(place: Path, **changes: Any) -> SentimentRunConfig:
    settings: dict[str, Any] = {
        "data": str(place / "data"),
        "model": ModelOptions(model=str(place / "model")),
        "training": FinetuneConfig(epochs=1, batch_size=8, learning_rate=1e-4, rank=4),
        "unlearners": ("none",),
        "max_tokens": 128,
        "spul": {"tokens": 4, "hidden": 16, "learning_rate": 1e-2, "epochs": 100, "batch_size": 8, "alpha": 1.0},
        "train": {"learning_rate": 3e-2, "epochs": 8, "batch_size": 8, "accumulation": 1},
    }
    return SentimentRunConfig(**{**settings, **changes})


def by_set(values: Any, measure: str) -> dict[str, float]:
    return {name: own[measure].value for name, own in values.items() if measure in own}


@pytest.fixture(scope="module")
def whole(place: Path) -> Path:
    out = place / "run"
    run_sentiment(config(place, unlearners=("none", "prompting", "spul", "ga")), out, cache=place / "cache")
    return out


def test_the_table_has_start_retained_and_every_unlearner(whole: Path) -> None:
    outcome = read_results(whole)
    assert [model.name for model in outcome.models] == [
        "start", "retained", "none-seed0", "prompting-seed0", "spul-seed0", "ga-seed0",
    ]  # fmt: skip
    values = {model.unlearner or model.name: aggregate(model.items) for model in outcome.models}
    assert by_set(values["start"], "retain_accuracy")["train_retain"] == 1
    assert by_set(values["start"], "forget_accuracy")["train_forget"] == 1
    assert values["none"] == values["start"]
    # The soft prompt has learned to say something else to what is to be forgotten.
    forget = by_set(values["spul"], "forget_accuracy")["train_forget"]
    assert forget < 0.8
    assert by_set(values["spul"], "retain_accuracy")["train_retain"] > forget
    assert by_set(values["ga"], "forget_accuracy")["train_forget"] < 1
    assert outcome.extra["how"]["recipe"] == "published splits"
    assert (whole / "artifacts/spul-seed0/spul/unlearner.json").is_file()


def test_finished_steps_are_not_repeated(place: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (whole / "results.json").read_text()

    def refuse(*arguments: Any, **more: Any) -> Any:
        raise AssertionError("this was done already")

    monkeypatch.setattr("unlearned.benchmarks.runner.make_system", refuse)
    monkeypatch.setattr("unlearned.benchmarks.sentiment.run.score", refuse)
    again = config(place, unlearners=("none", "prompting", "spul", "ga"))
    run_sentiment(again, whole, cache=place / "cache")
    assert (whole / "results.json").read_text() == before


def test_shards_come_to_the_same_as_the_whole(place: Path, tmp_path: Path) -> None:
    cache = place / "cache"
    run_sentiment(config(place), tmp_path / "whole", cache=cache)
    for number in (1, 2):
        run_sentiment(config(place), tmp_path / f"part{number}", shard=(number, 2), cache=cache)
    merge([tmp_path / "part1", tmp_path / "part2"], tmp_path / "merged")
    first, second = (read_results(tmp_path / name) for name in ("whole", "merged"))
    for one, other in zip(first.models, second.models, strict=True):
        assert [(i["id"], i["right"]) for i in one.items] == [(i["id"], i["right"]) for i in other.items]
    assert len(part(first.models[0].items, (1, 2))) == len(read_results(tmp_path / "part1").models[0].items)


def test_an_artifact_is_fitted_on_reviews_and_corrupts_nothing_else(place: Path) -> None:
    out = place / "eco"
    fit = {"strength": 20.0, "background": False, "fluency": False}
    run_sentiment(config(place, unlearners=("eco-rn",), fit=fit), out, cache=place / "cache")
    found = read_results(out).models[-1]
    flagged = by_set(aggregate(found.items), "flagged")
    assert flagged["train_forget"] > flagged["train_retain"]
    assert (out / "artifacts/seed0/detector/unlearner.json").is_file()
    start = {item["id"]: item for item in read_results(out).models[0].items}
    unflagged = [item for item in found.items if not item["flagged"]]
    assert unflagged
    assert all(item["p_right"] == pytest.approx(start[item["id"]]["p_right"], abs=1e-5) for item in unflagged)
    assert any(abs(item["p_right"] - start[item["id"]]["p_right"]) > 1e-3 for item in found.items if item["flagged"])


def test_the_command_prints_a_table(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("UNLEARNED_CACHE", str(place / "command-cache"))
    monkeypatch.setenv("COLUMNS", "240")
    done = CliRunner().invoke(
        app,
        [
            "bench", "sentiment", "--model", "model", "--data", "data", "--unlearners", "none,spul", "--epochs", "1",
            "--max-tokens", "128", "--spul", "epochs=1", "--spul", "tokens=2", "--test-rows", "4", "--out", "cli",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "accuracy, to forget" in " ".join(done.output.split())
    assert "spul" in done.output
    record = json.loads((place / "cli/artifacts/spul-seed0/spul/unlearner.json").read_text())["record"]
    assert record["config"]["tokens"] == 2
    assert record["config"]["form"]["end"] is False
    assert (place / "cli/report.html").is_file()


def test_the_prompting_baseline_is_told_the_people_where_they_are_known() -> None:
    assert "jackie chan" in instruction(SentimentSplit(), {"people": ["jackie chan"]})
    assert "some of the reviews of yelp" in instruction(SentimentSplit(dataset="yelp"), {"recipe": "clusters"})
