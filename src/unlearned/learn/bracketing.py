"""The default optimiser: bracket the phase transition on the logarithm, then close in on where the gap changes sign.

The parameter spans decades and the objective is flat on both sides of the transition from "remembers" to "does not",
where a finite difference sees nothing and a fixed step goes nowhere (arXiv:2406.07933, section 3.3, and its code). But
`|m - v_hat|` knows on which side it is: the sign of the gap turns a minimisation into the search for a root. Every
round evaluates several candidates in one batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from unlearned.errors import ConfigError
from unlearned.learn.objective import TOLERANCE, Evaluation
from unlearned.learn.optimisers import Trace

PART_OF_ERROR = 0.25
"""Share of the standard error over examples. Not all of it: two strengths are compared on the same examples and noise,
so their difference is known far better than either value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bracketing:
    """Effort of the search."""

    points: int = 6
    """Values tried first, evenly spaced on the logarithm, in one batch."""

    max_evaluations: int = 24
    """In all."""

    tolerance: float = TOLERANCE
    """Objective below which the search ends; smaller differences than this do not count."""

    edge: float = math.log(1.25)
    """Natural logarithm of the ratio to which the mildest value that does it is closed in on."""

    resolution: float = 0.005
    """Natural logarithm of the smallest ratio of two parameters worth telling apart."""

    def __post_init__(self) -> None:
        if self.points < 3:
            raise ConfigError(f"points={self.points}: at least 3 are needed to bracket a transition.")
        if self.max_evaluations < self.points:
            raise ConfigError(f"max_evaluations={self.max_evaluations}: must be at least points={self.points}.")
        if self.tolerance < 0 or min(self.resolution, self.edge) <= 0:
            raise ConfigError("tolerance must not be negative, and resolution and edge must be positive.")

    def __call__(self, trace: Trace) -> None:
        """Search; see `Trace` for what is raised."""
        low, high = math.log(trace.space.low), math.log(trace.space.high)
        trace([math.exp(low + (high - low) * index / (self.points - 1)) for index in range(self.points)])
        while (left := self.max_evaluations - len(trace)) > 0:
            if self._content(trace.best()):
                proposed = self._new(trace, self._milder(trace))
            else:
                proposed = self._new(trace, self._around_sign_change(trace))
                proposed = proposed or self._new(trace, self._around_best(trace))
            if not proposed:
                break  # closer than the resolution, everywhere that matters
            trace(proposed[:left])

    def _content(self, best: Evaluation) -> bool:
        """Good enough; or so far within the gap's standard error that closer would only fit these examples."""
        close = best.distance <= PART_OF_ERROR * best.error and best.penalty <= self.tolerance
        return close or best.value <= self.tolerance

    def _milder(self, trace: Trace) -> list[float]:
        """Logarithms between the mildest value that does it and the one before it, where stronger ones do no more.

        A measure that counts, such as facts said, is 0 all the way beyond the transition, and says nothing of how far
        beyond it a value lies.
        """
        ordered, best = trace.positive, trace.best(self.tolerance)
        before = [evaluation for evaluation in ordered if evaluation.parameter < best.parameter]
        beyond = [evaluation for evaluation in ordered if evaluation.parameter > best.parameter]
        if not before or (beyond and beyond[0].value - best.value > self.tolerance):
            return []
        left, right = math.log(before[-1].parameter), math.log(best.parameter)
        return [left + (right - left) * share for share in (1 / 3, 2 / 3)] if right - left > self.edge else []

    def _around_sign_change(self, trace: Trace) -> list[float]:
        """Logarithms to try where remembering first turns into over-forgetting; none if it does not."""
        ordered = trace.positive
        pair = next(((a, b) for a, b in zip(ordered, ordered[1:], strict=False) if a.gap > 0 >= b.gap), None)
        if pair is None:
            return []
        left, right = (math.log(evaluation.parameter) for evaluation in pair)
        width = right - left
        root = left + width * min(max(pair[0].gap / (pair[0].gap - pair[1].gap), 0.15), 0.85)
        return [root, root - width / 6, root + width / 6]

    def _around_best(self, trace: Trace) -> list[float]:
        """The middles between the best value and its neighbours, and where a parabola through the three is lowest."""
        ordered = trace.positive
        best = min(ordered, key=lambda evaluation: evaluation.value)
        index = ordered.index(best)
        centre = math.log(best.parameter)
        sides = [ordered[i] for i in (index - 1, index + 1) if 0 <= i < len(ordered)]
        if sides and max(side.value for side in sides) - best.value <= self.tolerance:
            return []  # flat at this scale: finer probes would only chase noise
        proposed = [(centre + math.log(side.parameter)) / 2 for side in sides]
        if len(sides) == 2:
            (a, fa), (b, fb) = ((math.log(side.parameter) - centre, side.value - best.value) for side in sides)
            denominator = 2 * (fa * b - fb * a)
            if denominator != 0:
                proposed.append(min(max(centre + (fa * b * b - fb * a * a) / denominator, centre + a), centre + b))
        return proposed

    def _new(self, trace: Trace, logarithms: list[float]) -> list[float]:
        """Those that no evaluation, nor an earlier one of them, is as near to as the resolution."""
        known = [math.log(parameter) for parameter in trace.found if parameter > 0]
        result = []
        for logarithm in logarithms:
            parameter = trace.space.rounded(math.exp(logarithm))
            place = math.log(parameter)
            if all(abs(place - other) >= (1e-9 if trace.space.integer else self.resolution) for other in known):
                known.append(place)
                result.append(parameter)
        return result
