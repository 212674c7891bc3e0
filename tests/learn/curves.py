"""Objectives of one parameter whose answer is known, and a record of where they were evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from unlearned.learn.objective import Evaluation
from unlearned.learn.optimisers import Space, Trace


class Curve:
    """An `Evaluate` from a function of the parameter; `batches` is what it was asked, in order."""

    def __init__(
        self,
        gap: Callable[[float], float],
        *,
        penalty: Callable[[float], float] = lambda x: 0.0,
        error: float = 0.0,
    ) -> None:
        self.gap, self.penalty, self.error = gap, penalty, error
        self.batches: list[list[float]] = []

    def __call__(self, parameters: Sequence[float]) -> list[Evaluation]:
        self.batches.append(list(parameters))
        return [
            Evaluation(x, abs(self.gap(x)), self.gap(x), error=self.error, penalty=self.penalty(x)) for x in parameters
        ]

    @property
    def asked(self) -> list[float]:
        return [x for batch in self.batches for x in batch]


def sigmoid_gap(root: float, steepness: float, *, above: float = 1.0, below: float = -0.6) -> Callable[[float], float]:
    """Falls from `above` to `below` over the logarithm, and is 0 at the root."""
    shift = math.log(-below / above)  # where the curve is 0

    def gap(x: float) -> float:
        z = max(-700.0, min(700.0, steepness * math.log(x / root) - shift))
        return below + (above - below) / (1 + math.exp(z))

    return gap


def run(optimiser: Callable[[Trace], None], curve: Curve, space: Space) -> Trace:
    """The trace after a search that kept to the rules: nothing twice, nothing outside the range."""
    trace = Trace(curve, space)
    optimiser(trace)
    assert len(set(curve.asked)) == len(curve.asked) == len(trace)
    assert all(trace.space.low <= x <= trace.space.high for x in curve.asked)
    assert all(x == round(x) for x in curve.asked) or not space.integer
    return trace
