"""The search for one parameter, on objectives whose minimum is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from unlearned.errors import ConfigError, FitError
from unlearned.learn.zeroth_order import Search, ZerothOrderConfig, minimise


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


FINE = ZerothOrderConfig(tolerance=0.0, max_steps=10)


@pytest.mark.parametrize("minimum", [0.25, 0.3, 0.9, 1.0, 2.7, 7.3, 15.0, 16.0])
@pytest.mark.parametrize(
    "shape",
    [
        lambda x, m: abs(math.log(x / m)),  # V on the logarithm
        lambda x, m: abs(x - m) / m,  # V
        lambda x, m: math.log(x / m) ** 2,  # parabola
        lambda x, m: abs(_sigmoid(6 * math.log(x / m)) - 0.5),  # |m - v_hat| of a metric that drops like a sigmoid
        lambda x, m: max(0.0, math.log(x / m)) * 3 + max(0.0, math.log(m / x)),  # lopsided V
    ],
)
def test_the_minimum_is_found(shape: Callable[[float, float], float], minimum: float) -> None:
    found = minimise(lambda x: shape(x, minimum), FINE)
    assert found.best(0.0)[0] == pytest.approx(minimum, rel=0.05)


@pytest.mark.parametrize("minimum", [0.4, 1.5, 6.0, 12.0])
def test_the_default_effort_gets_below_the_tolerance_on_a_remembers_or_not_objective(minimum: float) -> None:
    config = ZerothOrderConfig()
    found = minimise(lambda x: abs(_sigmoid(4 * math.log(x / minimum)) - 0.5) * 2, config)
    assert found.best(config.tolerance)[1] <= 0.15
    assert len(found.trace) <= config.bracket_points + 3 * config.max_steps


def test_where_forgetting_only_improves_the_mildest_strength_that_does_it_is_chosen() -> None:
    def drops(strength: float) -> float:  # flat at 1, drops around 2, flat at 0
        return 1 - _sigmoid(12 * math.log(strength / 2))

    config = ZerothOrderConfig()
    strength, value = minimise(drops, config).best(config.tolerance)
    assert value <= config.tolerance
    assert 2 <= strength <= 4.1


def test_on_a_plateau_the_search_stops_and_the_smallest_value_wins() -> None:
    found = minimise(lambda x: 0.7, ZerothOrderConfig(tolerance=0.01))
    assert len(found.trace) <= 9
    assert found.best(0.01) == (pytest.approx(0.25), 0.7)


def test_a_valley_between_two_plateaus_is_found() -> None:
    found = minimise(lambda x: 0.0 if 1.5 < x < 3 else 1.0, ZerothOrderConfig())
    parameter, value = found.best(0.1)
    assert value == 0.0
    assert 1.5 < parameter < 3


@pytest.mark.parametrize("minimum", [1, 2, 13, 100, 575, 576])
def test_integer_dims_are_searched_as_integers(minimum: int) -> None:
    config = ZerothOrderConfig(low=1, high=576, integer=True, tolerance=0.0, max_steps=12)
    found = minimise(lambda x: abs(math.log(x / minimum)), config)
    assert all(x == int(x) and 1 <= x <= 576 for x, _ in found.trace)
    assert found.best(0.0)[0] == pytest.approx(minimum, rel=0.05, abs=0.6)


@pytest.mark.parametrize("high", [2, 3, 5])
def test_a_short_integer_range_is_tried_completely_and_once(high: int) -> None:
    config = ZerothOrderConfig(low=1, high=high, integer=True, tolerance=0.0)
    found = minimise(lambda x: abs(x - high), config)
    tried = [x for x, _ in found.trace]
    assert sorted(set(tried)) == sorted(tried)
    assert found.best(0.0) == (high, 0.0)


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("objective", [lambda x: abs(x - 3), lambda x: -x, lambda x: x, lambda x: math.sin(9 * x)])
def test_the_trace_holds_every_evaluation_once_inside_the_range(
    objective: Callable[[float], float], integer: bool
) -> None:
    calls: list[float] = []

    def counted(x: float) -> float:
        calls.append(x)
        return objective(x)

    heard: list[tuple[int, float, float]] = []
    config = ZerothOrderConfig(low=1, high=50, integer=integer, tolerance=0.0, max_steps=6)
    found = minimise(counted, config, lambda count, x, value: heard.append((count, x, value)))
    assert [x for x, _ in found.trace] == calls
    assert len(set(calls)) == len(calls)
    assert heard == [(index + 1, x, value) for index, (x, value) in enumerate(found.trace)]
    assert all(1 - 1e-9 <= x <= 50 + 1e-9 for x in calls)
    assert len(calls) <= 7 + 3 * 6
    assert found.best(0.0)[1] == min(objective(x) for x in calls)


def test_the_search_is_deterministic() -> None:
    def objective(x: float) -> float:
        return abs(math.log(x / 2.345)) + 0.01 * math.sin(50 * x)

    assert minimise(objective, FINE).trace == minimise(objective, FINE).trace


def test_a_good_enough_bracket_point_ends_the_search() -> None:
    found = minimise(lambda x: abs(math.log(x / 2)), ZerothOrderConfig())
    assert len(found.trace) == 7


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_not_finite_stops_with_its_place(bad: float) -> None:
    with pytest.raises(FitError, match=rf"objective at 16 is {bad}"):
        minimise(lambda x: bad if x > 10 else 1.0, ZerothOrderConfig())


def test_best_prefers_the_smaller_parameter_within_the_tolerance() -> None:
    search = Search([(4.0, 0.0), (2.0, 0.05), (1.0, 0.2), (3.0, 0.05)])
    assert search.best(0.0) == (4.0, 0.0)
    assert search.best(0.1) == (2.0, 0.05)
    assert search.best(1.0) == (1.0, 0.2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"low": 0.0}, "0..16"),
        ({"low": -1.0}, "-1..16"),
        ({"low": 2.0, "high": 2.0}, "2..2"),
        ({"low": 3.0, "high": 2.0}, "3..2"),
        ({"high": math.nan}, "nan"),
        ({"high": math.inf}, "inf"),
        ({"bracket_points": 2}, "bracket_points=2"),
        ({"tolerance": -0.1}, "tolerance"),
        ({"max_steps": -1}, "max_steps"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ZerothOrderConfig(**settings)  # type: ignore[arg-type]
