"""Optuna's estimator as an optimiser; and what is said where it is not installed."""

from __future__ import annotations

import math
import sys

import pytest
from curves import Curve, run, sigmoid_gap

from unlearned.errors import ConfigError, MissingExtraError
from unlearned.learn.optimisers import Space, optimisers
from unlearned.learn.tpe import TPE

SPACE = Space(low=1 / 16, high=64.0)


@pytest.mark.parametrize("root", [0.3, 2.0, 20.0])
def test_it_finds_the_minimum(root: float) -> None:
    pytest.importorskip("optuna")
    trace = run(TPE(max_evaluations=40), Curve(sigmoid_gap(root, 2.0)), SPACE)
    assert trace.best().value <= 0.2
    assert abs(math.log(trace.best().parameter / root)) < 0.5


def test_it_stops_when_the_objective_is_low_enough_and_when_it_may_ask_no_more() -> None:
    pytest.importorskip("optuna")
    assert len(run(TPE(), Curve(lambda x: 0.04), SPACE)) == 1
    assert len(run(TPE(max_evaluations=7), Curve(lambda x: 1.0), SPACE)) == 7


def test_whole_numbers_are_drawn_as_such_and_a_seed_repeats_them() -> None:
    pytest.importorskip("optuna")
    space = Space(low=1, high=32, integer=True)
    curves = [Curve(lambda x: 0.1 + abs(x - 9)) for _ in range(2)]
    for curve in curves:
        run(TPE(seed=3), curve, space)
    assert curves[0].batches == curves[1].batches
    assert {type(x) for x in curves[0].asked} == {float}


def test_without_optuna_the_extra_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"'tpe' needs 'optuna'\. Run: pip install 'unlearned\[optuna\]'") as e:
        run(optimisers.get("tpe")(), Curve(lambda x: x), SPACE)
    assert "\n" not in str(e.value)


def test_no_evaluation_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_evaluations=0"):
        TPE(max_evaluations=0)
