"""`unlearned bench serve --engine vllm`, small."""

from __future__ import annotations

from pathlib import Path

import pytest
from vllm_helpers import Servers, environment

from unlearned.benchmarks.serving.vllm import measure_vllm
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
        f"throughput, 4 clients, {share} flagged" for share in ("0%", "50%")
    ]
    for row in found["rows"]:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["server"] > 0 < row["plain"]
    assert found["versions"]["vllm"]
