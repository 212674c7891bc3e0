"""A search stays in its range, evaluates nothing twice, and the mildest of equals is the best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from curves import Curve

from unlearned.errors import ConfigError, FitError
from unlearned.learn.optimisers import Space, Trace, optimisers


def test_values_are_rounded_into_the_range() -> None:
    space = Space(low=0.5, high=8.0)
    assert [space.rounded(value) for value in (0.0, 0.5, 3.25, 9.0, float("inf"))] == [0.5, 0.5, 3.25, 8.0, 8.0]
    whole = Space(low=1, high=32, integer=True, zero=True)
    assert [whole.rounded(value) for value in (0, 0.2, 3.4, 3.6, 40)] == [0.0, 1.0, 3.0, 4.0, 32.0]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, float("inf")), (float("nan"), 1)])
def test_a_range_that_is_none_is_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigError):
        Space(low=low, high=high)


def traced(value: Any = lambda parameter: parameter**2, **more: Any) -> tuple[Trace, list[list[float]], list[int]]:
    asked: list[list[float]] = []
    told: list[int] = []
    curve = Curve(value)

    def evaluate(parameters: Any) -> Any:
        asked.append(list(parameters))
        return [replace(one, distance=value(one.parameter)) for one in curve(parameters)]

    return Trace(evaluate, Space(low=1, high=8, zero=True, **more), told.append), asked, told


def test_nothing_is_evaluated_twice_and_answers_come_in_the_order_of_the_question() -> None:
    trace, asked, told = traced()
    found = trace([4, 2, 4, 100])
    assert [one.parameter for one in found] == [4, 2, 4, 8]
    trace([2, 0])
    trace([2])
    assert (asked, told) == ([[4, 2, 8], [0.0]], [3, 4])
    assert (len(trace), [one.parameter for one in trace.ordered]) == (4, [0, 2, 4, 8])
    assert [one.parameter for one in trace.positive] == [2, 4, 8]


def test_of_those_that_are_about_as_good_the_smallest_is_the_best() -> None:
    trace, _, _ = traced(lambda parameter: abs(parameter - 4))
    trace([0, 2, 3, 4, 8])
    assert [trace.best(tolerance).parameter for tolerance in (0.0, 1.0, 2.0, 10.0)] == [4, 3, 2, 0]


def test_an_objective_that_is_not_finite_stops_the_search() -> None:
    for value in (float("nan"), float("inf")):
        trace, _, _ = traced(lambda parameter, value=value: value)
        with pytest.raises(FitError):
            trace([2])
        assert len(trace) == 0


def test_every_registered_optimiser_can_be_made_without_settings() -> None:
    for name in optimisers.names():
        assert callable(optimisers.get(name)()), name
