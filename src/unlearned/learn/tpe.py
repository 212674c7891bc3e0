"""Optuna's tree-structured Parzen estimator, for comparison with the default optimiser."""

from __future__ import annotations

from dataclasses import dataclass

from unlearned.errors import ConfigError
from unlearned.extras import require
from unlearned.learn.objective import TOLERANCE
from unlearned.learn.optimisers import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class TPE:
    """Effort of the search."""

    max_evaluations: int = 24
    tolerance: float = TOLERANCE
    """Objective below which the search ends."""

    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_evaluations < 1:
            raise ConfigError(f"max_evaluations={self.max_evaluations}: must be at least 1.")

    def __call__(self, trace: Trace) -> None:
        """Search, one evaluation after the other."""
        optuna = require("optuna", extra="optuna", purpose="The optimiser 'tpe'")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.seed))
        space = trace.space
        for _ in range(self.max_evaluations):
            trial = study.ask()
            draw = trial.suggest_int if space.integer else trial.suggest_float
            low, high = (int(space.low), int(space.high)) if space.integer else (space.low, space.high)
            [found] = trace([draw("parameter", low, high, log=True)])
            study.tell(trial, found.value)
            if found.value <= self.tolerance:
                return
