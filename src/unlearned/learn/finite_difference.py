"""The optimiser of the paper, for parity: two-point finite differences, scalar and vector.

Source: arXiv:2406.07933, section 3.3, with the settings of its released scripts. It moves on the parameter itself, so
it stays where it is as long as the objective is flat; `bracketing` is the default for that reason.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.errors import ConfigError
from unlearned.learn.optimisers import Space, Trace

Vector = npt.NDArray[np.float64]

SMALLEST = 1e-8
"""The backward probe is never below this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FiniteDifference:
    """Two-point steps from `start`. Defaults: the released scripts'."""

    rate: float = 100.0
    start: float = 0.1
    least: float = 0.1
    """The parameter never falls below this."""

    probe: float = 0.0999
    """Distance of the two probes (epsilon)."""

    steps: int = 10
    enough: float = 0.02
    """Stop when the forward probe's objective is below this. The scripts stop at an accuracy of 0.27 where 0.25 is
    aimed at, which is this distance."""

    def __post_init__(self) -> None:
        if min(self.rate, self.start, self.least, self.probe) <= 0 or self.steps < 1:
            raise ConfigError("rate, start, least and probe must be positive, and steps at least 1.")

    def __call__(self, trace: Trace) -> None:
        """Search; both probes of a step are one batch. As in the paper, a strength has no other bound than `least`."""
        if not trace.space.bounded:
            trace.space = Space(low=SMALLEST, high=sys.float_info.max)
        parameter = self.start
        for _ in range(self.steps):
            forward = trace.space.rounded(parameter + self.probe)
            backward = trace.space.rounded(max(parameter - self.probe, SMALLEST))
            ahead, behind = trace([forward, backward])
            if ahead.value < self.enough:
                return
            parameter = step(ahead.value, behind.value, parameter, forward, backward, self.rate, self.least)
            parameter = min(parameter, trace.space.high)  # beyond it both probes would be the same
        trace([parameter])


def step(
    ahead: float, behind: float, parameter: float, forward: float, backward: float, rate: float, least: float
) -> float:
    """One scalar step. Departure: divided by the real distance, also where the backward probe was clipped."""
    distance = forward - backward
    gradient = (ahead - behind) / distance if distance > 0 else 0.0
    return max(parameter - rate * gradient, least)


def minimise_vector(
    objective: Callable[[Vector], float],
    start: Vector,
    *,
    rate: float,
    probe: float,
    steps: int,
    least: float,
    generator: np.random.Generator,
    scaled: bool = False,
) -> Vector:
    """Minimise over a vector of parameters along one random direction per step.

    `g = (d(beta + eps u) - d(beta - eps u)) / (2 eps) u` with u uniform on the unit sphere, then
    `beta <- max(beta - rate g, least)`, entry by entry.

    Args:
        objective: (P,) -> d.
        start: (P,) first guess.
        rate: step size.
        probe: distance of the two probes (epsilon).
        steps: number of steps; each costs two evaluations.
        least: lower bound of every entry.
        generator: draws the directions.
        scaled: multiply by P, which makes g an unbiased estimate of the smoothed gradient; the paper's code does not.
    """
    if start.ndim != 1 or not len(start) or probe <= 0:
        raise ConfigError("The start must be a vector of at least one entry, and probe positive.")
    beta = start.astype(np.float64)
    for _ in range(steps):
        direction = generator.standard_normal(len(beta))
        direction /= math.sqrt(float(direction @ direction))
        slope = (objective(beta + probe * direction) - objective(beta - probe * direction)) / (2 * probe)
        beta = np.maximum(beta - rate * slope * direction * (len(beta) if scaled else 1), least)
    return beta
