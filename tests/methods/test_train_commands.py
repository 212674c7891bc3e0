"""`unlearned train` and `unlearned methods`, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from method_rows import FORGET, RETAIN
from typer.testing import CliRunner

from unlearned.artifact.instruction import load_instruction
from unlearned.cli.main import app
from unlearned.errors import ConfigError, UnlearnedError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


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


def test_several_processes_share_the_recipes_batch(place: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["train", "npo", *TRAIN, "--out", "npo", "--device", "cpu", "--epochs", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, "-m", "unlearned.cli.main", *command],
        capture_output=True, text=True, timeout=300, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((place / "npo" / "training.json").read_text())
    assert (record["processes"], record["config"]["batch_size"], record["config"]["accumulation"]) == (2, 4, 4)
    assert not (place / "npo.unfinished").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nxo", *TRAIN, "--out", "o"], "Did you mean 'npo'"),
        (["npo", *TRAIN, "--out", "o", "--set", "beta"], "give NAME=VALUE"),
        (["npo", *TRAIN, "--out", "o", "--set", "gamma=1"], "has no setting 'gamma'"),
        (["npo", *TRAIN, "--out", "o", "--schedule", "steps"], "schedule='steps'"),
        (["npo", *TRAIN, "--out", "model"], "choose another folder"),
        (["gd", *TRAIN[:4], "--out", "o"], "needs retain rows"),
        (["ga", *TRAIN, "--out", "o", "--seed", "-1"], "seed=-1"),
        (["spul", *TRAIN, "--out", "o", "--seed", "-1"], "seed=-1"),
        (["npo", *TRAIN, "--out", "o", "--lora-rank", "8"], "--lora-rank: only a new adapter has this"),
        (
            ["npo", *TRAIN, "--out", "o", "--adapter", "a", "--lora", "--lora-rank", "64"],
            "leave out --lora, --lora-rank.",
        ),
        (["npo", *TRAIN, "--out", "o", "--adapter", "a", "--qlora"], "leave out --qlora and give --load-in-4bit."),
        (["npo", *TRAIN, "--out", "o", "--refusal", "neutral"], "learns no refusals: leave out --refusal."),
        (["ssd", *TRAIN, "--out", "o", "--epochs", "2", "--lora"], "without steps: leave out --lora, --epochs."),
        (["npo", *TRAIN, "--out", "o", "--device", "cuda:1"], "CUDA_VISIBLE_DEVICES=1"),
        (["npo", *TRAIN, "--out", "o", "--trainer", "label_smoothing_factor=0.1"], "'label_smoothing_factor' has no"),
        (["npo", *TRAIN, "--out", "o", "--trainer", "dataloader_persistent_workers=true"], "of the first epoch"),
    ],
)
def test_mistakes_are_one_clear_line(arguments: list[str], message: str, place: Path) -> None:
    done = run("train", *arguments)
    assert isinstance(done.exception, UnlearnedError)
    assert message in str(done.exception)
    assert not (place / "o").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["gd", *TRAIN[:4], "--out", "o"],
        ["spul", *TRAIN[:4], "--out", "o"],
        ["po", *TRAIN, "--out", "o", "--forget", "texts.jsonl"],
        ["ssd", *TRAIN, "--out", "o", "--max-steps", "2"],
        ["npo", *TRAIN, "--out", "o", "--device", "cuda:1"],
        ["npo", *TRAIN, "--out", "o", "--lora-targets", "q_proj"],
    ],
)
def test_mistakes_are_found_before_the_model_is_loaded(
    arguments: list[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unlearned.cli import train as command

    def load(options: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(command, "load", load)
    (place / "texts.jsonl").write_text('{"text": "A text as a whole."}\n')
    assert isinstance(run("train", *arguments).exception, UnlearnedError)


def test_the_list_of_methods_shows_defaults_on_one_line_each() -> None:
    lines = {line.split()[0]: line for line in run("methods").stdout.splitlines() if line}
    assert lines["npo"].endswith("(NPO, arXiv:2404.05868; rate 1e-05, 10 epochs, batch 32)")
    assert lines["llmu"].endswith("(LLMU, arXiv:2310.10683; rate 2e-06, 1000 steps, batch 2)")
    assert lines["ssd"].endswith("(SSD, arXiv:2308.07707; no training)")
    assert lines["spul"].endswith("rate 0.0001, 10 epochs, batch 32)")
    assert "recipe: no training" in run("methods", "ssd").stdout


def test_another_training_is_replaced_only_where_that_is_asked_for(place: Path) -> None:
    quick = ("--max-steps", "1", "--batch-size", "1", "--lora", "--lora-rank", "2")
    ga = ("train", "ga", *TRAIN, "--out", "out", *quick)
    assert run(*ga).exit_code == 0
    first = (place / "out" / "training.json").read_text()
    refused = run("train", "gd", *TRAIN, "--out", "out", *quick)
    assert "--overwrite" in str(refused.exception)
    assert (place / "out" / "training.json").read_text() == first
    assert not (place / "out.previous").exists()
    done = run("train", "gd", *TRAIN, "--out", "out", *quick, "--overwrite")
    assert done.exit_code == 0, done.exception
    assert json.loads((place / "out" / "training.json").read_text())["method"] == "gd"
    assert (place / "out.previous" / "training.json").read_text() == first
    (place / "thesis").mkdir()
    (place / "thesis" / "thesis.tex").write_text("years of work")
    own = run("train", "ga", *TRAIN, "--out", "thesis", *quick, "--overwrite")
    assert own.exit_code != 0
    assert [file.name for file in (place / "thesis").iterdir()] == ["thesis.tex"]


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
    before = (place / "soft" / "unlearner.json").read_text()
    replaced = run("train", "spul", *TRAIN, "--out", "soft", *more, "--set", "tokens=2", "--overwrite")
    assert replaced.exit_code == 0, replaced.exception
    assert SPUL.from_pretrained(place / "soft").vectors.shape == (2, 32)
    assert (place / "soft.previous" / "unlearner.json").read_text() == before
    for wrong in (("--lora",), ("--accumulation", "2"), ("--trainer", "fsdp=full_shard")):
        refused = run("train", "spul", *TRAIN, "--out", "other", *wrong)
        assert f"leave out {wrong[0]}." in str(refused.exception)
    assert "spul" in run("methods").stdout


def test_columns_of_other_names_are_read_by_train_and_instruct(place: Path) -> None:
    """The same rows under other names give the same weights, and the same context."""
    for name, data in (("forget", FORGET), ("retain", RETAIN)):
        lines = [{"Frage": row["prompt"], "Antwort": row["answer"], "prompt": "another column"} for row in data]
        (place / f"{name}.de.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = ("--forget", "forget.de.jsonl", "--retain", "retain.de.jsonl")
    named = ("--prompt-column", "Frage", "--answer-column", "Antwort")
    short = ("--model", "model", "--max-steps", "1", "--batch-size", "1", "--device", "cpu")
    for out, given in (("own", TRAIN[2:]), ("named", (*files, *named))):
        done = run("train", "ga", *short, *given, "--out", out)
        assert done.exit_code == 0, done.exception
        done = run("instruct", "in-context", *given, "--out", f"{out}-told", "--shown", "1")
        assert done.exit_code == 0, done.exception
    weights = "model.safetensors"
    assert (place / "own" / weights).read_bytes() == (place / "named" / weights).read_bytes()
    assert load_instruction(place / "own-told").text == load_instruction(place / "named-told").text
    refused = run("train", "ga", *short, *files, "--prompt-column", "Question", "--out", "other")
    assert "no column 'Question'" in str(refused.exception)


def test_generate_cuts_long_prompts_only_where_that_is_asked_for(place: Path, fresh: Any) -> None:
    longest = fresh.config.max_position_embeddings
    (place / "long.jsonl").write_text(json.dumps({"prompt": "How do I bake bread? " * longest}) + "\n")
    command = ("generate", "--model", "model", "--input", "long.jsonl", "--max-new-tokens", "2", "--out", "out.jsonl")
    assert "context is" in str(run(*command).exception)
    done = run(*command, "--truncate", "middle")
    assert done.exit_code == 0, done.exception
    assert json.loads((place / "out.jsonl").read_text())["prompt"].count("bread") == longest
