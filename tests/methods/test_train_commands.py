"""`unlearned train` and `unlearned methods`, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from method_rows import FORGET, RETAIN
from typer.testing import CliRunner

from unlearned.cli.main import app
from unlearned.errors import ConfigError, UnlearnedError

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it


@pytest.fixture
def place(tmp_path: Path, fresh: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directory with model and data."""
    fresh.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    for name, data in (("forget", FORGET), ("retain", RETAIN)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments, catch_exceptions=True)


TRAIN = ("--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl")


def test_train_writes_an_adapter_that_the_other_commands_take(place: Path) -> None:
    command = [
        "train",
        "npo-gd",
        *TRAIN,
        "--out",
        "npo",
        "--lora",
        "--lora-rank",
        "4",
        "--epochs",
        "2",
        "--set",
        "beta=0.2",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "unlearned.cli.main", *command], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Written to npo"
    assert "Memory, about" in done.stderr
    assert "Warning" not in done.stderr
    record = json.loads((place / "npo" / "training.json").read_text())
    assert (record["settings"]["beta"], record["config"]["lora"]["rank"]) == (0.2, 4)
    assert record["config"]["learning_rate"] == pytest.approx(1e-4)  # ten times the recipe's, for an adapter
    answered = run(
        "generate", "--model", "model", "--adapter", "npo", "--prompt", "Who is Harry?", "--max-new-tokens", "4"
    )
    assert answered.exit_code == 0, answered.exception


def test_train_writes_a_model(place: Path) -> None:
    done = run(
        "train", "ga", *TRAIN, "--out", "ga", "--max-steps", "2", "--batch-size", "1", "--trainer", "adam_beta2=0.9"
    )
    assert done.exit_code == 0, done.exception
    record = json.loads((place / "ga" / "training.json").read_text())
    assert (record["steps"], record["config"]["trainer"]) == (2, {"adam_beta2": 0.9})
    assert (place / "ga" / "model.safetensors").is_file()
    answered = run("generate", "--model", "ga", "--prompt", "Who is Harry?", "--max-new-tokens", "4")
    assert answered.exit_code == 0, answered.exception


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nxo", *TRAIN, "--out", "o"], "Did you mean 'npo'"),
        (["npo", *TRAIN, "--out", "o", "--set", "beta"], "give NAME=VALUE"),
        (["npo", *TRAIN, "--out", "o", "--set", "gamma=1"], "has no setting 'gamma'"),
        (["npo", *TRAIN, "--out", "o", "--schedule", "steps"], "schedule='steps'"),
        (["npo", *TRAIN, "--out", "model"], "holds something else"),
        (["gd", *TRAIN[:4], "--out", "o"], "needs retain rows"),
    ],
)
def test_mistakes_are_one_clear_line(arguments: list[str], message: str, place: Path) -> None:
    done = run("train", *arguments)
    assert isinstance(done.exception, UnlearnedError)
    assert message in str(done.exception)
    assert not (place / "o").exists()


def test_methods_are_listed_and_shown() -> None:
    listed = run("methods").stdout
    assert "npo-gd" in listed
    assert "arXiv:2404.05868" in listed
    shown = run("methods", "llmu").stdout
    assert "max_bad_loss=100.0" in shown
    assert {row["name"] for row in json.loads(run("methods", "--json").stdout)} >= {"ga", "ssd", "rmu"}
    assert not isinstance(run("methods", "rmu").exception, ConfigError)


def test_train_writes_a_soft_prompt(place: Path) -> None:
    from unlearned.unlearners.spul import SPUL

    more = ("--epochs", "1", "--batch-size", "3", "--set", "tokens=3", "--set", "labels=unknown, neutral")
    done = run("train", "spul", *TRAIN, "--out", "soft", *more)
    assert done.exit_code == 0, done.exception
    found = SPUL.from_pretrained(place / "soft")
    assert found.vectors.shape == (3, 32)
    assert found.record["config"]["labels"] == ["unknown", "neutral"]
    assert found.record["config"]["batch_size"] == 3
    again = run("train", "spul", *TRAIN, "--out", "soft")
    assert "exists" in str(again.exception)
    for wrong in (("--lora",), ("--accumulation", "2"), ("--trainer", "fsdp=full_shard")):
        refused = run("train", "spul", *TRAIN, "--out", "other", *wrong)
        assert f"leave out {wrong[0]}." in str(refused.exception)
    assert "spul" in run("methods").stdout
