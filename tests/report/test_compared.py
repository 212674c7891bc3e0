"""What is surely better or worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from unlearned.benchmarks.results import (
    Machine,
    ModelResults,
    Results,
    part,
)
from unlearned.benchmarks.spec import Item, Measure, Spec, Values
from unlearned.metrics.estimate import mean
from unlearned.report.compared import verdict
from unlearned.report.outcome import _lines

MACHINE = Machine(name="a machine", device="cpu", dtype="float32", versions={"torch": "1"})


def _aggregate(items: Sequence[Item]) -> Values:
    names = dict.fromkeys(item["set"] for item in items)
    return {name: {"right": mean([i["right"] for i in items if i["set"] == name])} for name in names}


SPEC = Spec(
    version=1,
    name="quiz",
    title="A quiz",
    measures={"right": Measure(title="accuracy", definition="share of right answers", better="low")},
    aggregate=_aggregate,
    main=("forget",),
    limits=("It is <only> a quiz.",),
)


def items(right: Sequence[float], shard: tuple[int, int] | None = None) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"id": f"{name}-{index}", "set": name, "index": index, "right": value}
        for name in ("forget", "far")
        for index, value in part(right, shard)
    )


def made(shard: tuple[int, int] | None = None) -> Results:
    scores = {"start": [1, 1, 1, 1, 0], "eco": [0, 0, 1, 0, 0], "ga": [1, 0, 1, 0, 0]}
    return Results(
        kind="quiz",
        config={"seed": 0, "model": {"model": "./models/a-model"}},
        shard=shard,
        data={"rows": "00"},
        models=tuple(
            ModelResults(
                name=name,
                unlearner=None if name == "start" else name,
                items=items(own, shard),
                seconds={"fit": 1.0},
                made_of=name,
            )
            for name, own in scores.items()
        ),
        machine=MACHINE,
        at="2026-01-31",
        extra={"speed": 2.0},
    )


def test_the_verdict_counts_what_is_surely_better_or_worse() -> None:
    scores = {"start": [1.0] * 40, "eco": [0.0] * 39 + [1.0], "ga": [1.0] * 39 + [0.0], "none": [1.0] * 40}
    models = tuple(
        ModelResults(name=name, unlearner=None if name == "start" else name, items=items(own))
        for name, own in scores.items()
    )
    lines = _lines(replace(made(), models=models), SPEC)
    assert verdict(lines, SPEC, ["forget"]) == (
        "eco is better than the start model in 1 (accuracy) of 1 number, worse in none, and not told apart in 0; "
        "ga is better than the start model in none of 1 number, worse in none, and not told apart in 1."
    )
    high = replace(SPEC, measures={"right": replace(SPEC.measures["right"], better="high")})
    assert verdict(lines, high, ["forget"]).startswith(
        "eco is better than the start model in none of 1 number, worse in 1 (accuracy)"
    )
    retained = replace(SPEC, measures={"right": replace(SPEC.measures["right"], better="retained")})
    assert "eco: nothing was measured" in verdict(lines, retained, ["forget"])
    with_retained = [*lines, replace(lines[1], label="retained")]
    assert "eco is better than the start model in 1" in verdict(with_retained, retained, ["forget"])
    assert verdict(lines[:1], SPEC, ["forget"]) == "No unlearner was run, so there is nothing to compare."
    assert verdict(lines[1:2], SPEC, ["forget"]).startswith("Only eco was run, without the start model")
