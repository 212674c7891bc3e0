"""The interface of optimisers: find a corruption's one parameter from evaluations of the objective alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unlearned.errors import ConfigError, FitError
from unlearned.learn.objective import Evaluation
from unlearned.registry import Registry

Evaluate = Callable[[Sequence[float]], list[Evaluation]]
"""Several parameters at once -> their evaluations; deterministic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """The range of the parameter."""

    low: float
    high: float
    integer: bool = False
    """Values that `dims` may take."""

    bounded: bool = False
    """The ends are not only where a search stops looking: a share, or `dims`, means nothing beyond them."""

    zero: bool = False
    """Nothing at all may be enough, and is tried first."""

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < math.inf:
            raise ConfigError(f"The range {self.low:g}..{self.high:g} is empty, not positive or not finite.")

    def rounded(self, parameter: float) -> float:
        """The nearest value inside the range; 0 stays where it is allowed."""
        if self.zero and parameter == 0:
            return 0.0
        inside = min(max(parameter, self.low), self.high)
        return float(round(inside)) if self.integer else inside


@dataclass(slots=True)
class Trace:
    """The evaluations made, in order; none is made twice."""

    evaluate: Evaluate
    space: Space
    on_evaluation: Callable[[int], None] | None = None
    """Called with the number of evaluations after each batch."""

    found: dict[float, Evaluation] = field(default_factory=dict)

    def __call__(self, parameters: Sequence[float]) -> list[Evaluation]:
        """Evaluate, in one batch, those that are new.

        Raises:
            FitError: the objective is not finite.
        """
        rounded = [self.space.rounded(parameter) for parameter in parameters]
        new = [parameter for parameter in dict.fromkeys(rounded) if parameter not in self.found]
        if new:
            for parameter, evaluation in zip(new, self.evaluate(new), strict=True):
                if not math.isfinite(evaluation.value):
                    raise FitError(
                        f"The objective at {parameter:g} is {evaluation.value}; lower the upper end of the range."
                    )
                self.found[parameter] = evaluation
            if self.on_evaluation:
                self.on_evaluation(len(self.found))
        return [self.found[parameter] for parameter in rounded]

    def __len__(self) -> int:
        return len(self.found)

    @property
    def ordered(self) -> list[Evaluation]:
        """By parameter."""
        return [self.found[parameter] for parameter in sorted(self.found)]

    @property
    def positive(self) -> list[Evaluation]:
        """By parameter, without 0, which no logarithm reaches."""
        return [evaluation for evaluation in self.ordered if evaluation.parameter > 0]

    def best(self, tolerance: float = 0.0) -> Evaluation:
        """The smallest parameter whose objective is within `tolerance` of the lowest: the mildest that does it."""
        lowest = min(evaluation.value for evaluation in self.found.values())
        return next(evaluation for evaluation in self.ordered if evaluation.value <= lowest + tolerance)


Optimiser = Callable[[Trace], None]
"""Spends evaluations on a trace until it is content."""

optimisers: Registry[Callable[..., Optimiser]] = Registry("optimiser")
optimisers.register("bracketing", "unlearned.learn.bracketing:Bracketing")
optimisers.register("finite_difference", "unlearned.learn.finite_difference:FiniteDifference")
optimisers.register("tpe", "unlearned.learn.tpe:TPE")
