"""Results of a small benchmark, a quiz, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from unlearned.benchmarks.results import Machine, ModelResults, Results, part
from unlearned.benchmarks.spec import Item, Measure, Spec, Values, specs
from unlearned.metrics.estimate import mean

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


def registered(patch: pytest.MonkeyPatch) -> None:
    """The quiz is among the benchmarks that are known."""
    patch.setattr(specs, "_targets", dict(specs._targets))
    specs.register("quiz", SPEC)
