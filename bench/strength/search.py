"""How many evaluations do optimisers need? Against the best of a fine grid, for every function with a strength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.strength.scopes import BenchScope
from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine
from unlearned.learn.bracketing import Bracketing
from unlearned.learn.config import StrengthConfig
from unlearned.learn.finite_difference import FiniteDifference
from unlearned.learn.objective import Evaluation, Objective
from unlearned.learn.optimisers import Optimiser, Space, Trace
from unlearned.learn.strength import objective_of, space_of
from unlearned.progress import Progress

NEAR = 0.05
"""Difference of the objective up to which a result is as good as the grid's best; the original model is at 1."""

BATCH = 10
"""Candidates of the grid per batch."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One optimiser on one function and scope."""

    scope: str
    function: str
    optimiser: str
    evaluations: int | None
    """Until one was within `NEAR` of the best of the grid; None = never."""

    total: int
    """Until it stopped by itself."""

    best: float
    grid_best: float
    grid_best_at: float
    grid_points: int


def functions_with_strength() -> list[str]:
    """Names of all registered functions whose parameter is a strength."""
    return [name for name in corruptions.names() if corruptions.get(name).parameter == "sigma"]


def measure_search(
    engine: TransformersEngine,
    scopes: Sequence[BenchScope],
    *,
    points: int,
    examples: int,
    functions: Sequence[str] | None = None,
    report: Progress,
) -> list[SearchResult]:
    """Every optimiser on every scope and function.

    The fluency guard is left out: it costs as much as all the rest, and is the same for all optimisers.
    """
    config = StrengthConfig(fluency=False, max_examples=examples)
    names = functions or functions_with_strength()
    results = []
    for scope in scopes:
        problem = scope.problem(engine, config)
        parity = replace(problem, config=replace(config, unit="absolute"))
        for function in names:
            objective, space = objective_of(problem, scope.scope, function), space_of(function, problem)
            grid = np.geomspace(space.low, space.high, num=points).tolist()
            values: list[Evaluation] = []
            for start in range(0, len(grid), BATCH):
                report(f"{scope.name}: {function}", start, len(grid))
                values += objective(grid[start : start + BATCH])
            report(f"{scope.name}: {function}", len(grid), len(grid))
            best = min(values, key=lambda evaluation: evaluation.value)
            for name, optimiser, own, where in (
                ("bracketing", Bracketing(tolerance=0.0), objective, space),
                (
                    "finite_difference",
                    FiniteDifference(),
                    objective_of(parity, scope.scope, function),
                    space_of(function, parity),
                ),
            ):
                results.append(_result(scope.name, function, name, optimiser, own, where, best, points))
    return results


def _result(
    scope: str,
    function: str,
    name: str,
    optimiser: Optimiser,
    objective: Objective,
    space: Space,
    best: Evaluation,
    points: int,
) -> SearchResult:
    order: list[Evaluation] = []

    def evaluate(parameters: Sequence[float]) -> list[Evaluation]:
        found = objective(parameters)
        order.extend(found)
        return found

    optimiser(Trace(evaluate, space))
    near = next((number for number, e in enumerate(order, start=1) if e.value <= best.value + NEAR), None)
    lowest = min(evaluation.value for evaluation in order)
    return SearchResult(scope, function, name, near, len(order), lowest, best.value, best.parameter, points)
