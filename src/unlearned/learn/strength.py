"""Learn what to do to the embeddings of one scope, on a model that is only run: function, tokens and strength."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unlearned.artifact.schema import BaseModelRecord, CandidateRecord, EvaluationRecord, MeasureRecord, StrengthRecord
from unlearned.corrupt.corruption import Corruption
from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.learn.config import AUTO, AUTO_SELECTORS, StrengthConfig
from unlearned.learn.forget_prompts import ForgetPrompts
from unlearned.learn.ledger import Ledger
from unlearned.learn.objective import TOLERANCE, Evaluation, Objective
from unlearned.learn.optimisers import Space, Trace
from unlearned.learn.stored import stored_arrays
from unlearned.learn.strength_problem import StrengthProblem, prepare_problem
from unlearned.progress import Progress
from unlearned.unlearners.eco import ForgetScope

LOW, HIGH = 1 / 16, 64.0
"""Range of a strength on all coordinates, in standard deviations of the embeddings."""

MOST_BESIDE_STRANGERS = 8.0
"""Highest strength on the words around a stranger's name."""

LEAST_SHARE = 1 / 32


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """One candidate: a function and a token selector, with the parameter that was found for them."""

    scope: ForgetScope
    chosen: Evaluation
    trace: Sequence[Evaluation]

    @property
    def corruption(self) -> Corruption:
        assert self.scope.corruption is not None
        return self.scope.corruption

    def dominates(self, other: Learned) -> bool:
        """At least as good in forgetting, fluency and closeness per item, and better in one of them."""
        mine, others = self._costs(), other._costs()
        return all(a <= b for a, b in zip(mine, others, strict=True)) and mine != others

    def _costs(self) -> tuple[float, float, float]:
        per_item = self.chosen.per_item
        return self.chosen.distance, self.chosen.penalty, 0.0 if math.isnan(per_item) else per_item


def learn_strength(
    engine: TransformersEngine,
    base_model: BaseModelRecord,
    scope: ForgetScope,
    forget: Sequence[Row],
    retain: Sequence[Row],
    config: StrengthConfig,
    *,
    ledger: Path | None = None,
    on_progress: Progress | None = None,
) -> tuple[ForgetScope, StrengthRecord]:
    """The scope with its corruption, and the record of how that was found.

    Args:
        engine: runs the original model.
        base_model: its identity and embedding scale.
        scope: classifier and secret; selector and corruption are what is learned.
        forget: forget rows; an answer that is missing is the original model's own.
        retain: close prompts outside the scope, for the surrogate "unrelated".
        config: everything else.
        ledger: file that keeps evaluations, so that a killed run goes on.
        on_progress: called with (phase, done, total).
    """
    report = on_progress or (lambda phase, done, total: None)
    problem = prepare_problem(engine, base_model, scope, forget, retain, config, report)
    known = Ledger(ledger, _fingerprint(problem, scope))
    candidates = []
    pairs = _candidates(config, scope)
    for number, (function, selector) in enumerate(pairs):
        phase = "strength" if len(pairs) == 1 else f"strength {number + 1} of {len(pairs)}"
        candidates.append(learn_one(problem, replace(scope, selector=selector), function, known, phase, report))
    best = _choose(candidates)
    return best.scope, _record(problem, best, candidates)


def learn_one(
    problem: StrengthProblem, scope: ForgetScope, function: str, ledger: Ledger, phase: str, report: Progress
) -> Learned:
    """The best parameter of one corruption function on the tokens of the scope's selector."""
    objective = objective_of(problem, scope, function)
    space = space_of(function, problem)
    candidate = f"{function} on {scope.selector}, dims {problem.config.dims}, {problem.config.unit}"
    known = ledger.known(candidate)

    def evaluate(parameters: Sequence[float]) -> list[Evaluation]:
        new = [parameter for parameter in parameters if parameter not in known]
        if new:
            found = objective(new)
            ledger.add(candidate, found)
            known.update({evaluation.parameter: evaluation for evaluation in found})
        return [known[parameter] for parameter in parameters]

    most = int(problem.config.search.get("max_evaluations", 24))
    trace = Trace(evaluate, space, lambda count: report(phase, min(count, most), most))
    if corruptions.get(function).parameter is None:
        trace([space.low])
    elif not (space.zero and _is_enough(trace([0.0])[0])):
        problem.config.make_optimiser()(trace)
    report(phase, most, most)
    chosen = trace.best(TOLERANCE)
    learned = replace(scope, corruption=objective.with_parameter(chosen.parameter))
    return Learned(learned, chosen, trace.ordered)


def _is_enough(found: Evaluation) -> bool:
    """Whether the scope is as if never seen, or less: more corruption would only do harm."""
    return found.penalty <= TOLERANCE and (found.distance <= TOLERANCE or found.gap <= 0)


def objective_of(problem: StrengthProblem, scope: ForgetScope, function: str) -> Objective:
    """The objective of one corruption function, as a function of its parameter."""
    forget_prompts = ForgetPrompts(problem.engine, scope, problem.prompts)
    std = problem.base_model.embedding_std
    stored = stored_arrays(function, problem.engine, forget_prompts, [row.answer or "" for row in problem.rows], std)
    make = corruption_maker(function, problem.config, problem.base_model, stored)
    return Objective(forget_prompts, problem.targets, make, problem.answers, problem.guard)


def corruption_maker(
    function: str, config: StrengthConfig, base_model: BaseModelRecord, stored: Mapping[str, Any]
) -> Callable[[float], Corruption]:
    """Parameter -> corruption: its strength, or its `dims` where it has none, or neither."""
    part = corruptions.get(function)
    if config.dims is not None:
        _checked_dims(config.dims, base_model)
    common: dict[str, Any] = {
        "function": function,
        "unit": config.unit,
        "embedding_std": base_model.embedding_std,
        "stored": stored,
    }
    if part.parameter == "sigma":
        dims = config.dims if part.takes_dims else None
        return lambda parameter: Corruption(strength=parameter, dims=dims, **common)
    if part.parameter == "dims":
        return lambda parameter: Corruption(dims=_checked_dims(round(parameter), base_model), **common)
    return lambda parameter: Corruption(**common)


def _checked_dims(dims: int, base_model: BaseModelRecord) -> int:
    if dims > base_model.embedding_size:
        raise ConfigError(f"dims={dims}, but the model's embeddings have {base_model.embedding_size}. Lower it.")
    return dims


def space_of(function: str, problem: StrengthProblem) -> Space:
    """Where a function's parameter is searched."""
    part, config, width = corruptions.get(function), problem.config, problem.base_model.embedding_size
    if part.parameter == "dims":
        return Space(low=1, high=width, integer=True, bounded=True)
    if part.parameter is None or not part.relative:
        return Space(low=LEAST_SHARE, high=1.0, bounded=True)
    # On fewer coordinates each needs more, for the same length of the whole change.
    scale = math.sqrt(width / max(1, config.dims or width)) if part.takes_dims else 1.0
    scale *= problem.base_model.embedding_std if config.unit == "absolute" else 1.0
    high = MOST_BESIDE_STRANGERS if part.substitutes else HIGH
    return Space(low=LOW * scale, high=high * scale, zero=part.substitutes)


def _candidates(config: StrengthConfig, scope: ForgetScope) -> list[tuple[str, str]]:
    if config.corruption != AUTO:
        return [(config.corruption, scope.selector)]
    extra = () if scope.selector in AUTO_SELECTORS else (scope.selector,)
    return [(function, selector) for function in config.auto_functions for selector in (*AUTO_SELECTORS, *extra)]


def _choose(candidates: Sequence[Learned]) -> Learned:
    """The candidate closest to v_hat item by item, among those that forget and stay fluent as well as any."""
    lowest = min(candidate.chosen.value for candidate in candidates)
    good = [candidate for candidate in candidates if candidate.chosen.value <= lowest + TOLERANCE]
    return min(good, key=lambda c: (c._costs()[2], c.chosen.value))


def _fingerprint(problem: StrengthProblem, scope: ForgetScope) -> str:
    """Hash of all that evaluations depend on but function, selector and parameter; of the weights, what they say."""
    config = problem.config
    parts = [
        problem.base_model.model_dump_json(),
        scope.name,
        scope.secret.hex(),
        scope.detector_sha256(),
        "" if scope.enrolled is None else hashlib.sha256(scope.enrolled.hashes.tobytes()).hexdigest(),
        repr(
            [(row.prompt, row.answer, row.choices, row.paraphrased_answer, row.wrong_answers) for row in problem.rows]
        ),
        repr(
            (
                [t.measure.name for t in problem.targets],
                config.surrogate,
                config.fluency,
                config.fluency_examples,
                config.answer_tokens,
            )
        ),
        *(f"{target.plain.mean():.1f} {target.surrogate.mean():.1f}" for target in problem.targets),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _record(problem: StrengthProblem, best: Learned, candidates: Sequence[Learned]) -> StrengthRecord:
    guard, config = problem.guard, problem.config
    return StrengthRecord(
        measures=[
            MeasureRecord(
                name=target.measure.name,
                plain=float(target.plain.mean()),
                surrogate=float(target.surrogate.mean()),
                found=best.chosen.values[target.measure.name],
            )
            for target in problem.targets
        ],
        surrogate=config.surrogate,
        optimiser=config.optimiser,
        examples=len(problem.rows),
        chosen=_evaluation_record(best.chosen),
        reference_perplexity=guard.reference.perplexity if guard else None,
        trace=[_evaluation_record(evaluation) for evaluation in best.trace],
        candidates=[
            CandidateRecord(
                function=candidate.corruption.function,
                selector=candidate.scope.selector,
                chosen=_evaluation_record(candidate.chosen),
                pareto=not any(other.dominates(candidate) for other in candidates),
                evaluations=len(candidate.trace),
            )
            for candidate in candidates
            if len(candidates) > 1
        ],
    )


def _evaluation_record(evaluation: Evaluation) -> EvaluationRecord:
    fields = {name: None if value != value else value for name, value in asdict(evaluation).items()}  # JSON has no NaN
    return EvaluationRecord.model_validate({"value": evaluation.value, **fields})
