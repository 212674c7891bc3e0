"""What enforcing costs on a GPU, tried on the CPU: that the numbers are there, and nothing is left out silently."""

from __future__ import annotations

import json
import math
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from bench.__main__ import app
from bench.gpu.models import SHAPES, TINY, Shape
from bench.gpu.run import NO_TIME, Measuring, as_markdown, measure_gpu
from bench.gpu.tasks import Task
from unlearned.errors import ConfigError

CPU = torch.device("cpu")
HUGE = Shape("huge", 2**17, 2**19, 1, 128, 128, 49_408, True)  # 550 GB
MEASURES = 6
"""Of each model."""


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """All of it on one tiny shape, with a shape that fits nowhere."""
    ends = time.monotonic() + 500
    return measure_gpu(CPU, [HUGE, TINY[0]], ends=ends, repeats=2, new_tokens=3, quick=True)


@pytest.mark.slow
def test_every_measure_has_finite_ratios(results: dict[str, Any]) -> None:
    assert results["failed"] == []
    rows = results["rows"]
    precisions = {"bfloat16", "float16"} | ({"8 bit", "4 bit"} if find_spec("bitsandbytes") else set())
    assert {row["model"] for row in rows} == {"encoder"} | {f"tiny, {precision}" for precision in precisions}
    assert len(rows) == 2 + MEASURES * len(precisions)
    for row in rows:
        assert row["pairs"] == 2
        assert 0 < row["low"] <= row["median"] <= row["high"] < math.inf
        assert row["ours"] > 0
        assert row["plain"] > 0
        assert row["peak_gb"] is None


@pytest.mark.slow
def test_unflagged_answers_are_the_plain_models(results: dict[str, Any]) -> None:
    answers = [row for row in results["rows"] if row["model"] in ("tiny, bfloat16", "tiny, float16")]
    compared = {row["measure"]: row["compared"] for row in answers}
    assert compared == {  # unflagged prompts, 3 tokens each or one, in three pairs: one warms up
        "throughput, batch 1, 0 % flagged": 4 * 9,
        "throughput, batch 1, 25 % flagged": 3 * 9,
        "throughput, batch 16, 0 % flagged": 16 * 9,
        "throughput, batch 16, 25 % flagged": 12 * 9,
        "first token, unflagged": 4 * 3,
        "first token, flagged": 0,
    }
    assert [row["differing"] for row in answers] == [0] * len(answers)
    assert {row["flagged"] / row["prompts"] for row in answers} == {0, 0.25, 1}


@pytest.mark.slow
def test_the_same_is_flagged_wherever_the_encoder_is(results: dict[str, Any]) -> None:
    detection = [row for row in results["rows"] if row["model"] == "encoder"]
    assert [(row["compared"], row["differing"], row["flagged"]) for row in detection] == [(48, 0, 4)] * 2


@pytest.mark.slow
def test_what_does_not_fit_is_left_out_by_name(results: dict[str, Any]) -> None:
    left_out = {one["what"]: one["why"] for one in results["left_out"]}
    assert {what for what in left_out if what.startswith("huge")} == {
        f"huge, {precision}" for precision in ("bfloat16", "float16", "8 bit", "4 bit")
    }
    assert left_out["huge, bfloat16"].startswith(f"it needs about {1.2 * 2 * HUGE.parameters / 1e9:.1f} GB, and ")
    if not find_spec("bitsandbytes"):
        assert "pip install 'unlearned[quantization]'" in left_out["tiny, 8 bit"]


@pytest.mark.slow
def test_the_table_has_every_row_and_what_is_missing(results: dict[str, Any]) -> None:
    table = as_markdown(results)
    assert table.count("| tiny, bfloat16 |") == MEASURES
    assert "- huge, 4 bit: it needs about" in table


def test_shapes_are_those_of_their_names() -> None:
    assert [round(shape.parameters / 1e9, 2) for shape in SHAPES] == [1.24, 8.03]


def _task(seconds: float) -> Task:
    def work() -> list[list[int]]:
        time.sleep(seconds)
        return [[1, 2], [3]]

    return Task("sleep", "sleep", "ms", lambda s: 1000 * s, work, lambda: [[1, 2], [4]], 2, 0, [0, 1])


def test_what_there_is_no_time_for_is_not_begun_and_left_out_by_name() -> None:
    kept: list[str] = []
    measuring = Measuring(
        {}, CPU, ends=time.monotonic() + 1, repeats=50, keep=lambda results: kept.append(json.dumps(results))
    )
    measuring.measure("m", _task(0.6))  # two pairs do not fit behind the one that warms up
    assert measuring.results["left_out"] == [{"what": "m: sleep", "why": NO_TIME}]
    measuring.ends = time.monotonic() + 1
    measuring.measure("m", _task(0.05))  # as many as there is time for
    [row] = measuring.results["rows"]
    assert 2 <= row["pairs"] < 20
    assert row["compared"] == 3 * (row["pairs"] + 1)
    assert row["differing"] == row["pairs"] + 1
    assert measuring.left < 0.5
    assert [len(json.loads(one)["rows"]) for one in kept] == [0, 1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["gpu", "--out", str(tmp_path / "gpu.json")])
    assert done.exit_code == 0
    assert (
        done.output.strip() == "There is no GPU here, so nothing was measured. --tiny tries the measurement on the CPU."
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow  # fits a detector
def test_the_command_leaves_results_and_table_also_without_any_time(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    done = CliRunner().invoke(app, ["gpu", "--tiny", "--minutes", "0", "--out", str(out)])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert found["rows"] == []
    assert len(found["left_out"]) == 2 + 4 * len(TINY)
    assert {one["why"] for one in found["left_out"]} == {NO_TIME}
    assert out.with_suffix(".md").read_text().count(NO_TIME) == len(found["left_out"])


def test_the_place_of_the_table_is_no_place_for_the_results(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["gpu", "--tiny", "--out", str(tmp_path / "gpu.md")])
    assert isinstance(done.exception, ConfigError)
    assert "give the JSON file" in str(done.exception)
