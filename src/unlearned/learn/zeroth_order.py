"""Find a corruption's one parameter without gradients: only evaluations of the objective.

The parameter spans decades and the objective is flat on both sides of the transition from "remembers" to "does not",
where a finite difference sees nothing and a fixed step goes nowhere (arXiv:2406.07933, section 3.3, and its code). So
the search works on the logarithm, brackets first, and then halves the distance of its two probes at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from unlearned.errors import ConfigError, FitError


@dataclass(frozen=True, kw_only=True, slots=True)
class ZerothOrderConfig:
    """Search range and effort."""

    low: float = 0.25
    """Smallest parameter value tried."""

    high: float = 16.0
    """Largest one."""

    bracket_points: int = 7
    """Values tried first, evenly spaced on the logarithm."""

    max_steps: int = 3
    """Two-point steps after that; each costs two or three evaluations."""

    tolerance: float = 0.1
    """Stop when the objective is below this; of values that differ by less, the smaller parameter is preferred."""

    integer: bool = False
    """For `dims`."""

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ConfigError(f"The range {self.low:g}..{self.high:g} is empty, not positive or not finite.")
        if self.bracket_points < 3:
            raise ConfigError(f"bracket_points={self.bracket_points}: at least 3 are needed to bracket a minimum.")
        if self.tolerance < 0 or self.max_steps < 0:
            raise ConfigError("tolerance and max_steps must not be negative.")


@dataclass(slots=True)
class Search:
    """The evaluations made, in order, as (parameter, objective)."""

    trace: list[tuple[float, float]] = field(default_factory=list)

    def best(self, tolerance: float) -> tuple[float, float]:
        """The smallest parameter whose objective is within `tolerance` of the lowest: the mildest that does it."""
        lowest = min(value for _, value in self.trace)
        return min((p, value) for p, value in self.trace if value <= lowest + tolerance)


def minimise(
    objective: Callable[[float], float],
    config: ZerothOrderConfig,
    on_evaluation: Callable[[int, float, float], None] | None = None,
) -> Search:
    """Minimise `objective(parameter)`; deterministic if the objective is.

    Args:
        objective: must be finite; noise in it must be the same at every call (common random numbers).
        config: range and effort.
        on_evaluation: called with (number of the evaluation, parameter, objective) after each.

    Raises:
        FitError: the objective is not finite.
    """
    search = Search()
    first, last = math.log(config.low), math.log(config.high)
    known: dict[float, float] = {}

    def value(log_parameter: float) -> float:
        parameter = math.exp(log_parameter)
        parameter = float(round(parameter)) if config.integer else parameter
        if parameter not in known:
            known[parameter] = float(objective(parameter))
            if not math.isfinite(known[parameter]):
                raise FitError(
                    f"The objective at {parameter:g} is {known[parameter]}; lower the upper end of the range."
                )
            search.trace.append((parameter, known[parameter]))
            if on_evaluation:
                on_evaluation(len(search.trace), parameter, known[parameter])
        return known[parameter]

    spacing = (last - first) / (config.bracket_points - 1)
    points = [first + index * spacing for index in range(config.bracket_points)]
    for point in points:
        value(point)
    centre = min(points, key=value)
    half = spacing / 2
    for _ in range(config.max_steps):
        if value(centre) <= config.tolerance:
            break
        left, right = max(centre - half, first), min(centre + half, last)
        candidates = [centre, left, right]
        if max(map(value, candidates)) - min(map(value, candidates)) <= config.tolerance:
            break  # flat at this scale: finer probes would only chase noise
        curvature = value(left) + value(right) - 2 * value(centre)
        if curvature > 0 and first <= centre - half and centre + half <= last:  # else they are not equally far away
            step = half * (value(left) - value(right)) / (2 * curvature)
            candidates.append(min(max(centre + step, left), right))
        centre = min(candidates, key=value)
        half /= 2
    return search
