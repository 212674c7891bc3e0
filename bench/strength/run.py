"""Everything about learning a strength that can be measured on the embedded model."""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import torch

from bench.strength.leaks import measure_leaks
from bench.strength.naive import naive_objective
from bench.strength.scopes import NAMES, BenchScope, bench_scope
from bench.strength.search import measure_search
from unlearned.artifact.fingerprint import base_model_record
from unlearned.demo.concepts import CONCEPTS
from unlearned.engines.transformers import TransformersEngine
from unlearned.learn.config import WITHOUT_NAMES, StrengthConfig
from unlearned.learn.ledger import Ledger
from unlearned.learn.strength import Learned, learn_one, objective_of
from unlearned.progress import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAIVE_STEPS = 3
"""Evaluations that are repeated the naive way; a whole search would take the better part of an hour."""

PARTS = ("cost", "transfer", "leaks", "search")


def measure_strength(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    parts: Sequence[str] = PARTS,
    points: int = 200,
    examples: int = 8,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """JSON-ready results of the chosen parts.

    Args:
        model: the original model.
        tokenizer: its tokenizer.
        parts: of `PARTS`.
        points: of the grid that optimisers are measured against.
        examples: forget prompts of every scope that the search part is measured on; the others use 40.
        on_progress: called with (phase, done, total).
    """
    report = on_progress or (lambda phase, done, total: None)
    engine = TransformersEngine(model, tokenizer)
    scopes = [bench_scope(name) for name in NAMES]
    results: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {sys.platform}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "model": base_model_record(engine).id,
        "at": datetime.now(timezone.utc).date().isoformat(),
    }
    if "cost" in parts:
        results["cost"] = _cost(engine, scopes[0], report)
    if "transfer" in parts or "leaks" in parts:
        learned = [_learned(engine, scope, report) for scope in scopes]
        if "transfer" in parts:
            results["transfer"] = _transfer(engine, scopes, learned)
        if "leaks" in parts:
            asked = [pair for pair in zip(scopes, learned, strict=True) if pair[0].name in CONCEPTS]
            results["leaks"] = [asdict(measure_leaks(engine, scope, found, report)) for scope, found in asked]
    if "search" in parts:
        found = measure_search(engine, scopes, points=points, examples=examples, report=report)
        results["search"] = [asdict(result) for result in found]
    return results


def _learned(engine: TransformersEngine, scope: BenchScope, report: Progress) -> Learned:
    problem = scope.problem(engine, StrengthConfig(corruption=WITHOUT_NAMES))
    ledger = Ledger(None, "")
    return learn_one(problem, scope.scope, problem.config.corruption, ledger, f"{scope.name}: strength", report)


def _cost(engine: TransformersEngine, scope: BenchScope, report: Progress) -> dict[str, Any]:
    """Wall time of learning a strength on 40 rows, and of the same evaluations done the naive way."""
    start = time.perf_counter()
    problem = scope.problem(engine, StrengthConfig(corruption=WITHOUT_NAMES))
    found = learn_one(problem, scope.scope, problem.config.corruption, Ledger(None, ""), "cost: strength", report)
    seconds = time.perf_counter() - start
    objective, [target] = objective_of(problem, scope.scope, problem.config.corruption), problem.targets
    naive, ours, differences = [], [], []
    steps = [found.trace[round(i * (len(found.trace) - 1) / (NAIVE_STEPS - 1))] for i in range(NAIVE_STEPS)]
    for number, evaluation in enumerate(steps):
        report("cost: naive", number, NAIVE_STEPS)
        candidate = replace(scope.scope, corruption=objective.with_parameter(evaluation.parameter))
        begin = time.perf_counter()
        value = naive_objective(
            engine,
            candidate,
            problem.rows,
            plain=float(target.plain.mean()),
            surrogate=float(target.surrogate.mean()),
            guard=problem.guard,
            answered=problem.answers.chosen if problem.answers else (),
            answer_tokens=problem.config.answer_tokens,
        )
        naive.append(time.perf_counter() - begin)
        differences.append(abs(value - evaluation.value))
        begin = time.perf_counter()
        objective([e.parameter for e in steps])  # in turn with the naive way, so that a drift of the machine meets both
        ours.append((time.perf_counter() - begin) / len(steps))
    report("cost: naive", NAIVE_STEPS, NAIVE_STEPS)
    return {
        "rows": len(problem.rows),
        "seconds": seconds,
        "evaluations": len(found.trace),
        "seconds_per_evaluation": statistics.median(ours),
        "naive_seconds_per_evaluation": statistics.median(naive),
        "ratio": statistics.median(theirs / mine for theirs, mine in zip(naive, ours, strict=True)),
        "largest_difference_of_the_objective": max(differences),
    }


def _transfer(
    engine: TransformersEngine, scopes: Sequence[BenchScope], learned: Sequence[Learned]
) -> list[dict[str, Any]]:
    """The objective of every scope at the strength that was learned on another."""
    rows = []
    for scope in scopes:
        problem = scope.problem(engine, StrengthConfig(corruption=WITHOUT_NAMES))
        objective = objective_of(problem, scope.scope, problem.config.corruption)
        evaluations = objective([found.chosen.parameter for found in learned])
        for source, evaluation in zip(scopes, evaluations, strict=True):
            rows.append(
                {
                    "learned_on": source.name,
                    "used_on": scope.name,
                    "strength": evaluation.parameter,
                    "distance": evaluation.distance,
                    "gap": evaluation.gap,
                    "penalty": evaluation.penalty,
                }
            )
    return rows
