"""`python -m bench serve --engine vllm` and `load --engine vllm --plain`, small."""

from __future__ import annotations

from pathlib import Path

import pytest
from vllm_helpers import FLAGGED, PLAIN, Servers, environment

from bench.serving.config import LoadConfig
from bench.serving.load import measure_load
from bench.serving.process import ServerProcess, VllmProcess
from bench.serving.vllm import measure_vllm
from unlearned.embedded import embedded_model_folder


def test_both_servers_answer_the_same_questions(
    servers: Servers, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.stop()
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    found = measure_vllm(
        str(embedded_model_folder()),
        [artifact],
        options=["--enforce-eager", "--max-model-len", "512", "--dtype", "bfloat16"],
        clients=4,
        shares=(0.0, 0.5),
        new_tokens=4,
        rounds=2,
        repeats=1,
    )
    assert [row["name"] for row in found["rows"]] == [
        f"{measure}, 4 clients, {share} flagged"
        for share in ("0%", "50%")
        for measure in ("throughput", "processor time")
    ]
    for row in found["rows"]:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["server"] > 0 < row["plain"]
    assert found["versions"]["vllm"]


def test_under_load_it_answers_what_vllm_answers(
    servers: Servers, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.stop()
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    options = ["--enforce-eager", "--max-model-len", "512", "--dtype", "float32"]
    ours = ["--engine", "vllm", "--artifact", str(artifact), "--served-model-name", "bench", *options]
    found = measure_load(
        ServerProcess(ours, tmp_path),
        [FLAGGED],
        [PLAIN, "How do I bake bread?", "Name a river in Egypt."],
        LoadConfig(seconds=8, clients=4, new_tokens=6),
        plain=VllmProcess(str(embedded_model_folder()), options, tmp_path / "plain.log"),
    )
    assert found["wrong"] == found["missed"] == []
    assert min(found["answered"]["flagged"], found["answered"]["clean"]) > 0
    plain = found["plain"]
    assert plain["alone_as_ours"] == plain["alone"] == 3
    assert plain["answered"] > 0
    assert found["differing"].get("clean", 0) == plain["differing"] == 0  # float32: no ties between other batches
