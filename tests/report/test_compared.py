"""What is surely better or worse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from quiz_results import SPEC, items, made, registered

from unlearned.benchmarks.results import (
    ModelResults,
)
from unlearned.report.compared import verdict
from unlearned.report.outcome import _lines


@pytest.fixture(autouse=True)
def quiz(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


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
