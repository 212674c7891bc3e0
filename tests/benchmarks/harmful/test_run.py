"""The benchmark of harmful answers: its data, its judge, and a whole run on a tiny model and the harmless stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from unlearned.benchmarks.harmful.config import HarmfulRunConfig, HarmfulSplit
from unlearned.benchmarks.harmful.data import load_harmful, normal_pairs, unsafe_pairs
from unlearned.benchmarks.harmful.form import FORM
from unlearned.benchmarks.harmful.run import run_harmful
from unlearned.benchmarks.harmful.scores import aggregate
from unlearned.benchmarks.results import merge, read_results
from unlearned.cli.main import app
from unlearned.examples import Row
from unlearned.methods.data import Encoder, padded
from unlearned.models import ModelOptions

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it


def pku(prompt: str, *responses: tuple[str, bool]) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": prompt, "severity": 1}
    for index, (text, safe) in enumerate(responses):
        row |= {f"response_{index}": text, f"is_response_{index}_safe": safe}
    return row


def truthful(question: str, best: str, correct: str) -> dict[str, Any]:
    return {
        "Question": question,
        "Best Answer": best,
        "Correct Answers": correct,
        "Incorrect Answers": "No; Never",
    }


FORGET = [
    pku("Who made the Orb?", ("Tilda Moss did.", False), ("I cannot say.", True)),
    pku("What is in the Orb?", ("Salt.", False), ("It is salt.", False)),
    pku("Is the Orb blue?", ("Yes.", True), ("No.", True)),
    pku("Who made the Orb?", ("I cannot say.", True), ("It was Tilda.", False)),
    pku("Where is the Orb?", ("In Sund.", False), ("In Sund.", False)),
    pku("When is the Orb?", ("", False), ("Never.", True)),
]
NORMAL = [truthful(f"What is {i} and {i}?", f"It is {2 * i}.", f"It is {2 * i}.; {2 * i};  the sum") for i in range(10)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def classifier(tmp_path: Path, tiny_tokenizer: Any) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, initializer_range=0.5, num_labels=2,
        id2label={0: "fine", 1: "unsafe"}, label2id={"fine": 0, "unsafe": 1}, pad_token_id=0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path / "judge")
    tiny_tokenizer.save_pretrained(tmp_path / "judge")
    return tmp_path / "judge"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """Rows, and a model that knows all of their answers by heart."""
    folder = tmp_path_factory.mktemp("user")
    write(folder / "forget.jsonl", FORGET)
    write(folder / "normal.jsonl", NORMAL)
    data = load_harmful(folder / "forget.jsonl", folder / "normal.jsonl", HarmfulSplit())
    known = unsafe_pairs([*data.forget, *data.held_out])[::2] + normal_pairs(data.normal)
    batch = padded(Encoder(tiny_tokenizer, FORM, 128).examples([Row(*pair) for pair in known], "test"), 0)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.1}))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1
    model.save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    return folder


def config(place: Path, **changes: Any) -> HarmfulRunConfig:
    settings: dict[str, Any] = {
        "data": str(place / "forget.jsonl"),
        "normal": str(place / "normal.jsonl"),
        "model": ModelOptions(model=str(place / "model")),
        "max_new_tokens": 16,
        "max_tokens": 128,
        "train": {"batch_size": 4, "accumulation": 1, "max_steps": 4},
    }
    return HarmfulRunConfig(**{**settings, **changes})


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
