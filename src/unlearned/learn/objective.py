"""How far is the corrupted model from one that never saw the data? Called many times: all else is computed once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Completion
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.engines.transformers import TransformersEngine
from unlearned.learn.fluency import Fluency, FluencyGuard, fluency
from unlearned.learn.forget_prompts import ForgetPrompts
from unlearned.learn.measures import AnswerMeasure, Doubles
from unlearned.types import PromptInput

TOLERANCE = 0.05
"""Objective below which nothing is left to forget; smaller differences do not count."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The objective at one parameter."""

    parameter: float
    distance: float
    """d: 1 = remembers everything, 0 = on average as if never seen."""

    gap: float
    """The distance with its sign: below 0, less is known than by a model that never saw the data."""

    error: float = 0.0
    """Standard error of `gap` over the examples."""

    penalty: float = 0.0
    """Penalty of the fluency guard; 0 = fluent."""

    per_item: float = math.nan
    """Mean over examples of each one's own distance; NaN where v_hat is a constant."""

    values: dict[str, float] = field(default_factory=dict)
    """Mean of every measure."""

    degenerate: float = 0.0
    """Share of answers that are empty or repeat themselves."""

    perplexity: float = math.nan
    """Perplexity of the answers under the original model."""

    seconds: float = 0.0

    @property
    def value(self) -> float:
        """What is minimised."""
        return self.distance + self.penalty


@dataclass(frozen=True, slots=True, eq=False)
class ObjectiveTerm:
    """One measure, and between which values it moves."""

    measure: AnswerMeasure
    plain: Doubles
    """(N,) of the original model."""

    surrogate: Doubles
    """(N,) v_hat: of a model that never saw the data; equal entries where it is a constant."""

    @property
    def scale(self) -> float:
        """The distance of the original model, so that one tolerance fits every measure, scope and model."""
        whole = float(self.plain.mean() - self.surrogate.mean())
        return math.copysign(max(abs(whole), self.measure.least_gap), whole)

    @property
    def per_item(self) -> bool:
        return self.measure.constant is None and bool(np.ptp(self.surrogate) > 0)


@dataclass(frozen=True, slots=True)
class GuardedAnswers:
    """Generated answers to some of the prompts, for the guard and for measures that read text."""

    engine: TransformersEngine
    chosen: Sequence[int]
    """Indices of the prompts that are answered."""

    max_new_tokens: int
    batch_size: int

    def __call__(self, runs: Sequence[Sequence[PromptInput]]) -> list[list[Completion]]:
        asked = [run[index] for run in runs for index in self.chosen]
        # More at once than the user's batch: short prompts, short answers.
        given = self.engine.generate(
            asked,
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            batch_size=4 * self.batch_size,
            **keep_last_logits(self.engine.model),
        )
        size = len(self.chosen)
        return [given[start : start + size] for start in range(0, len(given), size)]


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """`d = mean_i |m_i - v_hat_i|` (arXiv:2406.07933, section 3.3) plus the fluency guard.

    Each term is divided by the same distance of the original model: 1 = remembers everything, 0 = as if never seen.
    """

    forget_prompts: ForgetPrompts
    targets: Sequence[ObjectiveTerm]
    with_parameter: Callable[[float], Corruption]
    answers: GuardedAnswers | None = None
    guard: FluencyGuard | None = None

    def __call__(self, parameters: Sequence[float]) -> list[Evaluation]:
        """All candidates in one batch. The noise is keyed by the words: the same at every strength."""
        start = time.perf_counter()
        runs = [self.forget_prompts.inputs(self.with_parameter(parameter)) for parameter in parameters]
        given = self.answers(runs) if self.answers is not None else [[] for _ in runs]
        texts = [[answer.text for answer in run] for run in given]
        fluencies: Sequence[Fluency | None] = [None] * len(runs)
        if self.guard is not None and self.answers is not None:
            judged = [self._judged(run) for run in given]
            fluencies = fluency(self.answers.engine, judged, batch_size=self.answers.batch_size)
        found = [target.measure(runs, texts) for target in self.targets]  # each (C, N)
        seconds = (time.perf_counter() - start) / len(runs)
        return [
            self._evaluation(parameter, [values[index] for values in found], fluencies[index], seconds)
            for index, parameter in enumerate(parameters)
        ]

    def _judged(self, run: Sequence[Completion]) -> Sequence[Completion]:
        """The answers that the guard looks at, of those that were given."""
        assert self.guard is not None
        assert self.answers is not None
        if self.guard.judged is None:
            return run
        return [answer for n, answer in zip(self.answers.chosen, run, strict=True) if n in self.guard.judged]

    def _evaluation(
        self, parameter: float, found: Sequence[Doubles], fluent: Fluency | None, seconds: float
    ) -> Evaluation:
        pairs = list(zip(self.targets, found, strict=True))
        shares = [(values - target.surrogate) / target.scale for target, values in pairs]  # each (N,)
        gaps = [float(share.mean()) for share in shares]
        together = np.mean(shares, axis=0)
        own = [float(np.abs(share).mean()) for (target, _), share in zip(pairs, shares, strict=True) if target.per_item]
        return Evaluation(
            parameter=parameter,
            distance=float(np.mean(np.abs(gaps))),
            gap=float(np.mean(gaps)),
            error=float(together.std(ddof=1) / math.sqrt(len(together))) if len(together) > 1 else 0.0,
            penalty=self.guard.penalty(fluent) if self.guard is not None and fluent is not None else 0.0,
            per_item=float(np.mean(own)) if own else math.nan,
            values={target.measure.name: float(values.mean()) for target, values in pairs},
            degenerate=fluent.degenerate if fluent is not None else 0.0,
            perplexity=fluent.perplexity if fluent is not None else math.nan,
            seconds=seconds,
        )
