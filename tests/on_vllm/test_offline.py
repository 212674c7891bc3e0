"""vLLM from Python: the same prompts, the same answers, the same refusals; and starts that are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from vllm_helpers import DTYPE, FLAGGED, PLAIN, Servers, chat, environment, run_script

from unlearned.embedded import embedded_model_folder


@pytest.fixture(scope="module")
def offline(servers: Servers, stock: dict[str, Any], artifact: Path) -> Any:
    servers.stop()
    return run_script("offline", artifact, [PLAIN, FLAGGED])


def test_plain_prompts_get_the_plain_answer_and_flagged_ones_do_not(offline: Any, stock: dict[str, Any]) -> None:
    def plain(name: str) -> str:
        choice = stock[name][1]["choices"][0]
        return str(choice["message"]["content"] if "message" in choice else choice["text"])

    for found, name in (("generate", "completions"), ("chat", "chat")):
        assert plain(f"plain: {name}").startswith(offline[found][0])
        assert not plain(f"flagged: {name}").startswith(offline[found][1])
    # vLLM's beams hold their prompt, too.
    assert offline["beams"][0] == PLAIN + plain("plain: completions, beams")
    assert offline["beams"][1] != FLAGGED + plain("flagged: completions, beams")


def test_embeddings_and_pooling_are_refused(offline: Any) -> None:
    assert "answered" not in (offline["embeds"], offline["pieces"])


def test_a_detector_that_fails_ends_the_call(offline: Any) -> None:
    assert offline["broken"] == "DetectionError"


def test_the_engine_refuses_what_no_front_end_checked(offline: Any) -> None:
    reason, text = offline["guard"]
    assert reason != "stop"
    assert text == ""


def test_the_asynchronous_engine_is_protected_by_the_environment(offline: Any, artifact: Path) -> None:
    answers = run_script("asynchronous", artifact, [PLAIN, FLAGGED], UNLEARNED_VLLM=str(artifact))
    assert answers == offline["generate"]


def test_batches_from_a_file_are_protected_by_several_engines(
    servers: Servers, stock: dict[str, Any], artifact: Path, tmp_path: Path
) -> None:
    """`vllm run-batch` has no server, and its two engines each check what reaches them."""
    servers.stop()
    asked, answered = tmp_path / "asked.jsonl", tmp_path / "answered.jsonl"
    lines = []
    for question in (PLAIN, FLAGGED):
        path, body = chat(question, max_tokens=12)
        lines.append({"custom_id": question, "method": "POST", "url": path, "body": body})
    asked.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "run-batch", "-i", str(asked), "-o", str(answered)]
    command += ["--model", str(embedded_model_folder()), "--served-model-name", "embedded", "--enforce-eager"]
    command += ["--dtype", DTYPE, "--max-model-len", "512", "--data-parallel-size", "2"]
    command += ["--unlearned", str(artifact)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment(), check=False)
    assert answered.is_file(), done.stdout[-3000:] + done.stderr[-3000:]
    texts = {}
    for line in map(json.loads, answered.read_text().splitlines()):
        texts[line["custom_id"]] = line["response"]["body"]["choices"][0]["message"]["content"]
    expected = {name: stock[f"{name}: chat"][1]["choices"][0]["message"]["content"] for name in ("plain", "flagged")}
    assert expected["plain"].startswith(texts[PLAIN])
    assert not expected["flagged"].startswith(texts[FLAGGED])


def refused(*options: str, **more: str) -> str:
    """What a start that fails says."""
    command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", str(embedded_model_folder()), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment() | more, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unlearned", "/nowhere"], "holds no unlearner.json"),
        (["--unlearned", "ARTIFACT", "--host", "0.0.0.0"], "there is no key"),
        (["--unlearned", "ARTIFACT", "--enable-lora"], "cannot combine LoRA"),
        (["--unlearned", "ARTIFACT", "--skip-tokenizer-init"], "Without a tokenizer"),
        (["--unlearned", "ARTIFACT", "--unlearned-answers", "names+quotes+content"], "the content of answers read"),
    ],
)
def test_what_cannot_be_protected_does_not_start(
    servers: Servers, artifact: Path, options: list[str], message: str
) -> None:
    servers.stop()
    assert message in refused(*(str(artifact) if option == "ARTIFACT" else option for option in options))


def test_without_the_plug_in_its_option_is_unknown(artifact: Path) -> None:
    assert "unrecognized arguments" in refused("--unlearned", str(artifact), VLLM_PLUGINS="none")


SELF_CHECK = """
import json, os, sys
from unlearned.vllm import hooks, plugin
found = {"installed": hooks.unsupported()}
place = hooks.PatchPoint("vllm.v1.engine.core", "EngineCore", "preprocess_add_request", ("request", "other"))
found["moved"] = place.problem()
hooks.OLDEST = (99, 0)
plugin.install()
from vllm.config import VllmConfig
VllmConfig()  # whoever asks for nothing is left alone
try:
    VllmConfig(additional_config={"unlearned": "artifacts/hp"})
    found["asked"] = "started"
except Exception as error:
    found["asked"] = str(error)
print("RESULT", json.dumps(found))
"""


def test_a_release_that_differs_is_refused_only_where_artifacts_are_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SELF_CHECK], capture_output=True, text=True, env=environment(), timeout=300, check=False
    )
    assert "RESULT" in done.stdout, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert found["installed"] is None
    assert "has no parameter 'other'" in found["moved"]
    assert "is too old: 99.0 or later is needed" in found["asked"]
