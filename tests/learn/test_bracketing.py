"""The default optimiser, on objectives whose answer is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest
from curves import Curve, run, sigmoid_gap

from cases import every
from unlearned.errors import ConfigError, FitError, UnknownNameError
from unlearned.learn.bracketing import Bracketing
from unlearned.learn.objective import Evaluation
from unlearned.learn.optimisers import Space, Trace, optimisers

SPACE = Space(low=1 / 16, high=64.0)
ROOTS = [SPACE.low * (SPACE.high / SPACE.low) ** (share / 24) for share in range(1, 24)]
STEEP = [0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 15.0]


@pytest.mark.parametrize(("above", "below"), [(1.0, -0.6), (1.0, -0.2), (1.0, -2.0), (0.7, -0.1)])
def test_a_root_on_the_logarithm_is_found_wherever_it_is_and_however_steep(above: float, below: float) -> None:
    counts = []
    for root in ROOTS:
        for steepness in STEEP:
            curve = Curve(sigmoid_gap(root, steepness, above=above, below=below))
            assert curve.gap(root) == pytest.approx(0, abs=1e-9)
            trace = run(Bracketing(), curve, SPACE)
            assert trace.best().value <= 0.05, (root, steepness)
            assert len(trace) <= 24
            counts.append(len(trace))
    assert statistics.median(counts) <= 12


def test_a_transition_like_a_step_is_located_to_the_resolution() -> None:
    for root in ROOTS:
        trace = run(Bracketing(), Curve(lambda x, at=root: 1.0 if x < at else -0.3), SPACE)
        assert trace.best().value == pytest.approx(0.3)
        # Mildest that does it; the neighbour just below still remembers.
        beyond = [e.parameter for e in trace.ordered if e.gap < 0]
        before = [e.parameter for e in trace.ordered if e.gap > 0]
        assert min(beyond) / max(before) < math.exp(0.2)
        assert trace.best(0.05).parameter == min(beyond)


@pytest.mark.parametrize("level", [1.0, 0.4, -0.7])
def test_a_plateau_costs_no_more_than_the_first_batch(level: float) -> None:
    curve = Curve(lambda x: level)
    trace = run(Bracketing(), curve, SPACE)
    assert len(curve.batches) == 1
    assert trace.best(0.05).parameter == SPACE.low  # the mildest of equals


def test_the_first_batch_is_even_on_the_logarithm_from_end_to_end() -> None:
    curve = Curve(lambda x: 1.0)
    run(Bracketing(points=6), curve, SPACE)
    expected = [SPACE.low * 4**index for index in range(6)]
    assert curve.batches == [pytest.approx(expected)]
    assert (curve.asked[0], curve.asked[-1]) == pytest.approx((SPACE.low, SPACE.high))


@pytest.mark.parametrize("lowest", [0.2, 1.0, 5.0, 40.0])
def test_a_gap_that_never_reaches_zero_is_followed_to_its_lowest(lowest: float) -> None:
    trace = run(Bracketing(), Curve(lambda x: 0.3 + 0.2 * abs(math.log(x / lowest))), SPACE)
    assert trace.best().value <= 0.35
    assert len(trace) <= 24


def test_a_gap_that_only_approaches_zero_ends_at_the_upper_end() -> None:
    trace = run(Bracketing(), Curve(lambda x: 0.2 + 1 / (1 + x)), SPACE)
    assert trace.best().parameter == pytest.approx(SPACE.high)


@pytest.mark.parametrize("centre", [0.5, 2.0, 9.0])
def test_a_penalty_moves_the_minimum_away_from_the_root(centre: float) -> None:
    # Forgets completely at 20, but answers are nonsense from about `centre` on.
    curve = Curve(sigmoid_gap(20.0, 1.5), penalty=lambda x: max(0.0, math.log(x / centre)))
    trace = run(Bracketing(), curve, SPACE)
    fine = min(abs(curve.gap(x)) + curve.penalty(x) for x in (SPACE.low * 1024 ** (i / 2000) for i in range(2001)))
    assert trace.best().value <= fine + 0.1


@every("width", [1, 2, 3, 7, 32, 768, 4096])
@every("share", [0.05, 0.3, 0.55, 0.9])
def test_whole_numbers_are_searched_as_such(width: int, share: float) -> None:
    root = max(1.0, share * width)
    curve = Curve(lambda x: 1.0 - x / root if x < root else max(-0.8, 1.0 - x / root))
    trace = run(Bracketing(), curve, Space(low=1, high=width, integer=True, bounded=True))
    best = min(abs(curve.gap(x)) for x in range(1, width + 1))
    assert trace.best().value <= max(0.05, best + 1e-9)
    assert len(trace) <= min(24, width)


@pytest.mark.parametrize("space", [Space(low=3, high=3), Space(low=2, high=2, integer=True), Space(low=1, high=1.01)])
def test_a_range_of_nearly_one_value_ends_at_once(space: Space) -> None:
    trace = run(Bracketing(), Curve(lambda x: 1.0 - x / 2), space)
    assert 1 <= len(trace) <= 6


@pytest.mark.parametrize(
    ("gap", "error", "penalty", "goes_on"),
    [
        (0.08, 0.36, 0.0, False),  # inside a quarter of its error
        (-0.08, 0.36, 0.04, False),
        (0.08, 0.28, 0.0, True),
        (0.08, 0.36, 0.5, True),  # inside a quarter of it, but no language any more
        (0.049, 0.0, 0.0, False),  # inside the tolerance
        (0.03, 0.0, 0.03, True),
    ],
)
def test_the_search_stops_when_closer_would_only_fit_the_examples(
    gap: float, error: float, penalty: float, goes_on: bool
) -> None:
    def with_a_hole(x: float) -> float:
        return gap if 3.9 < x < 4.1 else math.copysign(1.0, 4 - x)

    curve = Curve(with_a_hole, error=error, penalty=lambda x: penalty)
    run(Bracketing(points=6), curve, SPACE)  # 4 is among the first six
    assert (len(curve.batches) > 1) == goes_on


def test_where_a_measure_counts_down_to_nothing_the_mildest_that_does_it_is_closed_in_on() -> None:
    for root in ROOTS[1:-1]:
        curve = Curve(lambda x, at=root: max(0.0, math.log(at / x)))  # facts said: none from the root on
        trace = run(Bracketing(), curve, SPACE)
        chosen = trace.best(0.05)
        assert chosen.value <= 0.05
        assert root * math.exp(-0.051) <= chosen.parameter <= 1.26 * root
        assert len(trace) <= 14


def test_the_same_search_gives_the_same_trace() -> None:
    found = [run(Bracketing(), Curve(sigmoid_gap(2.3, 8.0)), SPACE) for _ in range(2)]
    assert found[0].ordered == found[1].ordered
    assert list(found[0].found) == list(found[1].found)


@pytest.mark.parametrize("most", [6, 7, 8, 11, 24])
def test_no_more_evaluations_are_made_than_allowed(most: int) -> None:
    trace = run(Bracketing(max_evaluations=most, tolerance=0.0), Curve(sigmoid_gap(2.3, 30.0)), SPACE)
    assert len(trace) <= most


def test_after_the_first_batch_a_root_is_closed_in_on_a_few_values_at_a_time() -> None:
    curve = Curve(sigmoid_gap(2.3, 8.0))
    run(Bracketing(), curve, SPACE)
    assert 2 <= len(curve.batches) <= 5
    assert all(1 <= len(batch) <= 3 for batch in curve.batches[1:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points": 2}, "points=2"),
        ({"points": 6, "max_evaluations": 5}, "max_evaluations=5.*points=6"),
        ({"tolerance": -0.1}, "tolerance"),
        ({"resolution": 0.0}, "resolution"),
        ({"edge": 0.0}, "edge"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Bracketing(**settings)  # type: ignore[arg-type]


# What every optimiser works on


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, math.inf), (math.nan, 1), (1, math.nan)])
def test_an_empty_or_endless_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigError, match="range"):
        Space(low=low, high=high)


@pytest.mark.parametrize(
    ("space", "given", "expected"),
    [
        (Space(low=0.5, high=2), 0.1, 0.5),
        (Space(low=0.5, high=2), 1.25, 1.25),
        (Space(low=0.5, high=2), math.inf, 2),
        (Space(low=1, high=32, integer=True), 6.6, 7.0),
        (Space(low=1, high=32, integer=True), 0.2, 1.0),
        (Space(low=1, high=32, integer=True), 99.0, 32.0),
    ],
)
def test_a_parameter_is_brought_inside_the_range(space: Space, given: float, expected: float) -> None:
    assert space.rounded(given) == expected


def test_a_trace_evaluates_what_is_new_once_in_one_batch_and_answers_in_order() -> None:
    curve, counts = Curve(lambda x: 1 / x), list[int]()
    trace = Trace(curve, Space(low=1, high=9, integer=True), counts.append)
    assert [e.parameter for e in trace([3, 2.6, 1])] == [3, 3, 1]
    assert [e.parameter for e in trace([1, 5, 50])] == [1, 5, 9]
    trace([9, 3])
    assert curve.batches == [[3, 1], [5, 9]]
    assert counts == [2, 4]
    assert [e.parameter for e in trace.ordered] == [1, 3, 5, 9]


def test_the_best_is_the_mildest_within_the_tolerance_and_penalties_count() -> None:
    gaps, penalties = {1: 0.9, 2: 0.12, 3: -0.1, 4: 0.0}, {1: 0.0, 2: 0.0, 3: 0.0, 4: 0.5}
    trace = Trace(Curve(gaps.__getitem__, penalty=penalties.__getitem__), Space(low=1, high=4))  # type: ignore[arg-type]
    trace([1, 2, 3, 4])
    assert trace.best().parameter == 3
    assert trace.best(0.05).parameter == 2
    assert trace.best(1.0).parameter == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_objective_that_is_not_finite_is_an_error_that_names_the_parameter(value: float) -> None:
    trace = Trace(Curve(lambda x: 1.0 if x < 2 else value), Space(low=1, high=4))
    with pytest.raises(FitError, match=r"objective at 3 is (nan|inf).*lower the upper end"):
        trace([1, 3])


def test_an_unknown_optimiser_is_named() -> None:
    with pytest.raises(UnknownNameError, match="bracketing"):
        optimisers.get("bracket")


def test_a_custom_optimiser_sees_evaluations() -> None:
    def two(trace: Trace) -> None:
        assert [type(e) for e in trace([1, 2])] == [Evaluation] * 2

    optimiser: Callable[[Trace], None] = two
    assert len(run(optimiser, Curve(lambda x: x), SPACE)) == 2
