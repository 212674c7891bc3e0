"""The paper's optimiser, against its numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from curves import Curve, run

from unlearned.errors import ConfigError
from unlearned.learn.finite_difference import SMALLEST, FiniteDifference, minimise_vector, step
from unlearned.learn.optimisers import Space

ANYWHERE = Space(low=1 / 16, high=64.0)


def _parabola(x: float) -> float:
    return (x - 0.3) ** 2


def test_one_step_on_a_parabola_gives_the_published_numbers() -> None:
    ahead, behind = _parabola(0.6), _parabola(0.4)
    assert (ahead, behind) == (pytest.approx(0.09), pytest.approx(0.01))
    assert (ahead - behind) / 0.2 == pytest.approx(0.4)
    assert step(ahead, behind, 0.5, 0.6, 0.4, rate=0.2, least=0.05) == pytest.approx(0.42)


def test_the_search_makes_the_same_steps() -> None:
    config = FiniteDifference(start=0.5, probe=0.1, rate=0.2, least=0.05, steps=2, enough=0.001)
    curve = Curve(_parabola)
    run(config, curve, ANYWHERE)
    # Second step: g = 2 (0.42 - 0.3) = 0.24 (a parabola's is exact), beta = 0.42 - 0.048.
    assert curve.batches[0] == [pytest.approx(0.6), pytest.approx(0.4)]
    assert curve.batches[1] == [pytest.approx(0.52), pytest.approx(0.32)]
    assert curve.batches[2] == [pytest.approx(0.372)]
    assert len(curve.batches) == 3


def test_a_backward_probe_that_was_clipped_divides_by_the_real_distance() -> None:
    config = FiniteDifference(start=0.05, probe=0.2, rate=1.0, least=0.01, steps=1, enough=0.0001)
    curve = Curve(lambda x: 1 - x)  # slope -1, so that the step is +1 whatever the probes are
    run(config, curve, ANYWHERE)
    assert curve.batches == [[pytest.approx(0.25), SMALLEST], [pytest.approx(1.05)]]


def test_it_stays_where_it_is_on_a_plateau() -> None:
    curve = Curve(lambda x: 1.0)
    trace = run(FiniteDifference(start=3.0, probe=1.0, steps=5), curve, ANYWHERE)
    assert sorted(trace.found) == [2.0, 3.0, 4.0]


def test_it_stops_when_the_forward_probe_is_good_enough() -> None:
    curve = Curve(lambda x: 0.0 if x > 2 else 1.0)
    trace = run(FiniteDifference(start=1.95, probe=0.1, rate=100.0, steps=9), curve, ANYWHERE)
    assert curve.batches == [[pytest.approx(2.05), pytest.approx(1.85)]]
    assert trace.best().parameter == pytest.approx(2.05)


def test_it_is_not_below_its_least() -> None:
    curve = Curve(lambda x: 0.5 + x)
    trace = run(FiniteDifference(start=1.0, probe=0.1, rate=100.0, least=0.4, steps=3), curve, ANYWHERE)
    assert sorted(trace.found) == pytest.approx([0.3, 0.4, 0.5, 0.9, 1.1])


def test_a_strength_has_no_upper_bound_but_a_share_and_dims_have() -> None:
    steep = FiniteDifference(start=1.0, probe=0.5, rate=1e4, steps=1)
    assert max(run(steep, Curve(lambda x: 1 / (1 + x)), ANYWHERE).found) > 64
    share = Space(low=1 / 32, high=1.0, bounded=True)
    assert max(run(steep, Curve(lambda x: 1 / (1 + x)), share).found) == 1.0


def test_it_comes_back_from_the_end_of_a_bounded_range() -> None:
    # The first step goes far beyond 1; the lowest is at 0.8.
    config = FiniteDifference(start=0.1, probe=0.05, rate=0.9, steps=6, enough=0.0)
    trace = run(config, Curve(lambda x: (x - 0.8) ** 2 + 0.1), Space(low=1 / 32, high=1.0, bounded=True))
    assert 0.7 < trace.best().parameter < 0.9


@pytest.mark.parametrize(
    ("space", "config", "moved_to"),
    [
        # Probes of dims: 10.9 -> 11 and 9.5 -> 10, a distance of 1 and not of 1.4; slope -0.1 -> beta 10.2 + 3.
        (Space(low=1, high=32, integer=True, bounded=True), {"start": 10.2, "probe": 0.7, "rate": 30.0}, 13.0),
        # Probes of a share: 0.25 and, instead of -0.05, 1/32; slope -0.1 -> 0.1 + 0.3.
        (Space(low=1 / 32, high=1, bounded=True), {"start": 0.1, "probe": 0.15, "rate": 3.0}, 0.4),
    ],
)
def test_the_distance_is_the_one_between_the_values_that_were_evaluated(
    space: Space, config: dict[str, Any], moved_to: float
) -> None:
    curve = Curve(lambda x: 4 - x / 10)
    run(FiniteDifference(steps=1, least=0.01, **config), curve, space)
    assert curve.batches[-1] == [pytest.approx(moved_to)]


@pytest.mark.parametrize("name", ["rate", "start", "least", "probe", "steps"])
def test_settings_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        FiniteDifference(**{name: 0})


def test_the_defaults_are_those_of_the_released_scripts() -> None:
    config = FiniteDifference()
    assert (config.rate, config.start, config.least, config.probe, config.steps) == (100.0, 0.1, 0.1, 0.0999, 10)
    assert 0.25 + config.enough == pytest.approx(0.27)


# Vectors


class Fixed(np.random.Generator):
    """A generator that draws the same numbers again and again."""

    def __init__(self, *values: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._values = np.array(values)

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        assert size == len(self._values)
        return self._values.copy()


def _bowl(beta: Any) -> float:
    return float((beta[0] - 1) ** 2 + (beta[1] - 2) ** 2)


def _vector(objective: Callable[[Any], float] = _bowl, start: tuple[float, ...] = (0.5, 0.5), **more: Any) -> Any:
    settings: dict[str, Any] = {"rate": 0.1, "probe": 0.1, "steps": 1, "least": 0.05, "generator": Fixed(3.0, 4.0)}
    return minimise_vector(objective, np.array(start), **(settings | more))


def test_a_step_along_a_direction_is_what_the_formula_gives() -> None:
    # u = (0.6, 0.8). The slope of the bowl along it is exact: 2 (-0.5 * 0.6 - 1.5 * 0.8) = -3.
    np.testing.assert_allclose(_vector(), [0.5 + 0.1 * 3 * 0.6, 0.5 + 0.1 * 3 * 0.8])


def test_scaled_multiplies_by_the_number_of_parameters() -> None:
    np.testing.assert_allclose(_vector(scaled=True), [0.5 + 0.6 * 0.6, 0.5 + 0.6 * 0.8])


def test_two_steps_start_from_each_other() -> None:
    # After the first step at (0.68, 0.74): slope 2 (-0.32 * 0.6 - 1.26 * 0.8) = -2.4.
    np.testing.assert_allclose(_vector(steps=2), [0.68 + 0.24 * 0.6, 0.74 + 0.24 * 0.8])


def test_the_bound_holds_entry_by_entry() -> None:
    # Slope 2 (0.5 * 0.6 + 0.9 * -0.8) = -0.84 along (0.6, -0.8): the first entry rises, the second would fall to -6.2.
    found = _vector(start=(1.5, 2.9), rate=10.0, generator=Fixed(3.0, -4.0), least=0.3)
    np.testing.assert_allclose(found, [1.5 + 8.4 * 0.6, 0.3])


def test_every_step_costs_two_evaluations_and_leaves_the_start_alone() -> None:
    asked: list[Any] = []
    start = np.array([0.5, 0.5])
    minimise_vector(
        lambda beta: asked.append(beta) or _bowl(beta),  # type: ignore[func-returns-value]
        start, rate=0.1, probe=0.1, steps=3, least=0.0, generator=Fixed(3.0, 4.0),
    )  # fmt: skip
    assert len(asked) == 6
    np.testing.assert_allclose(asked[:2], [[0.56, 0.58], [0.44, 0.42]])
    assert start.tolist() == [0.5, 0.5]


def test_random_directions_find_the_minimum_of_a_bowl() -> None:
    found = _vector(steps=200, rate=0.3, generator=np.random.default_rng(0), least=0.0)
    np.testing.assert_allclose(found, [1, 2], atol=0.05)


def test_scaled_steps_are_the_gradient_on_average() -> None:
    generator = np.random.default_rng(1)
    moves = [_vector(rate=1e-3, scaled=True, generator=generator) - 0.5 for _ in range(4000)]
    np.testing.assert_allclose(np.mean(moves, axis=0) / -1e-3, [-1.0, -3.0], rtol=0.1)


@pytest.mark.parametrize(("start", "probe"), [((), 0.1), (((1.0, 2.0),), 0.1), ((1.0,), 0.0)])
def test_a_start_that_is_no_vector_is_refused(start: Any, probe: float) -> None:
    with pytest.raises(ConfigError, match="vector"):
        _vector(start=start, probe=probe)


def test_a_vector_on_a_plateau_stays() -> None:
    assert _vector(lambda beta: 1.0, steps=5).tolist() == [0.5, 0.5]
    assert math.isclose(_vector(lambda beta: 1.0, start=(0.01, 1.0))[0], 0.05)  # but inside its bound
