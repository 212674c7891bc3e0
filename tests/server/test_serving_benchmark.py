"""`python -m bench serve`, small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.serving.run import measure_serving


def test_throughput_and_first_token_are_measured_in_pairs(model: Any, tiny_tokenizer: Any, artifact: Path) -> None:
    phases = []
    found = measure_serving(
        model,
        tiny_tokenizer,
        artifacts=[artifact],
        clients=(1, 3),
        new_tokens=6,
        rounds=1,
        repeats=2,
        on_progress=lambda phase, done, total: phases.append(phase),
    )
    assert json.loads(json.dumps(found)) == found
    names = [row["name"] for row in found["rows"]]
    assert names[:2] == ["throughput, 1 client", "throughput, 3 clients"]
    assert [row["unit"] for row in found["rows"]] == ["tokens/s", "tokens/s", "ms"]
    assert [row["pairs"] for row in found["rows"]] == [2, 2, 8]  # the first of each only warms up
    for row in found["rows"]:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["server"] > 0 < row["plain"]
    assert set(phases) == {*names[:2], "first token"}
