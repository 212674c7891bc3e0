"""A server in its own process under load, killed and started again. UNLEARNED_LOAD_SECONDS makes it last longer."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from serving_helpers import FLAGGED, PLAIN
from typer.testing import CliRunner

from bench.__main__ import app
from bench.serving.config import LoadConfig
from bench.serving.load import measure_load
from bench.serving.process import ServerProcess
from unlearned.errors import ConfigError, UnlearnedError
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit

FORGET = [FLAGGED, "What is Hogwarts?", "Which house is Harry Potter in?", "Who are Harry Potter's friends?"]
OTHERS = [PLAIN, "How do I bake bread?", "Name a river in Egypt.", "What is seven times six?"]


@pytest.fixture(scope="module")
def arguments(model: Any, tiny_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What starts a server of a tiny model with a real detector."""
    folder = tmp_path_factory.mktemp("served")
    model.save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    config = FitConfig(strength=4, fluency=False, seed=0)
    fit(model, tiny_tokenizer, FORGET, OTHERS, scope="potter", config=config).save_pretrained(folder / "artifact")
    served = ["--model", str(folder / "model"), "--artifact", str(folder / "artifact"), "--served-model-name", "bench"]
    return [*served, "--dtype", "float32"]


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_no_answer_is_wrong_under_load(arguments: list[str], tmp_path: Path, kill: bool) -> None:
    seconds = float(os.environ.get("UNLEARNED_LOAD_SECONDS", "20"))
    config = LoadConfig(seconds=seconds, clients=64 if seconds > 60 else 16, kill=kill, new_tokens=8)
    found = measure_load(ServerProcess(arguments, tmp_path), FORGET, OTHERS, config)
    assert found["wrong"] == []
    assert found["missed"] == []
    assert min(found["answered"]["flagged"], found["answered"]["clean"], found["left"], found["refused"]) > 0
    assert sum(found["differing"].values()) == 0  # float32: what shares a batch changes no greedy answer
    assert (found["connection_errors"] > 0) == kill
    memory = found["memory_mb"]
    assert kill or memory["last_tenth"] < 1.1 * memory["second_tenth"] + 50


@pytest.mark.slow
def test_a_benchmark_that_is_ended_leaves_no_server_behind(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "forget.jsonl").write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in FORGET))
    own = [*arguments[: arguments.index("--served-model-name")], "--dtype", "float32"]
    command = [sys.executable, "-m", "bench", "load", *own]
    command += ["--forget", str(tmp_path / "forget.jsonl"), "--seconds", "300"]
    process = psutil.Popen(command, cwd=Path(__file__).parents[2])
    try:
        until = time.monotonic() + 120
        while not (servers := process.children(recursive=True)):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 143
        assert psutil.wait_procs(servers, timeout=30)[1] == []
    finally:
        with suppress(psutil.NoSuchProcess):
            for left in [*process.children(recursive=True), process]:
                left.kill()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = ServerProcess(["--model", str(tmp_path / "nothing")], tmp_path)
    with pytest.raises(UnlearnedError, match=r"did not start:\n.*nothing"):
        server.start()


def test_shares_and_sizes_are_checked() -> None:
    for bad in ({"seconds": 0}, {"clients": 0}, {"leave": 0.7, "bad": 0.4}, {"stream": 1.5}):
        with pytest.raises(ConfigError):
            LoadConfig(**bad)  # type: ignore[arg-type]


def test_the_command_counts_and_fails_when_an_answer_is_wrong(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = tmp_path / "forget.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in FORGET))
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    command = ["load", "--model", given["--model"], "--artifact", given["--artifact"], "--dtype", "float32"]
    command += ["--forget", str(prompts), "--seconds", "3", "--clients", "4", "--new-tokens", "4"]
    out = tmp_path / "load.json"
    done = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert json.loads(out.read_text())["answered"]["flagged"] > 0
    monkeypatch.setattr("bench.serving.load.BAD", (('{"model": "bench", "messages": []}', 418),))
    wrong = CliRunner().invoke(app, command)
    assert wrong.exit_code == 1
    assert "WRONG: status 400 instead of 418" in wrong.output
