"""The objective, by hand on given values, and on a real tiny model."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from learn_rows import KNOWN

from oracles.likelihood import mean_answer_log_likelihood
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.bracketing import Bracketing
from unlearned.learn.fluency import Fluency, FluencyGuard, fluency
from unlearned.learn.forget_prompts import ForgetPrompts, plain
from unlearned.learn.measures import Likelihood, MeasureInputs
from unlearned.learn.objective import Evaluation, GuardedAnswers, Objective, ObjectiveTerm
from unlearned.learn.optimisers import Space, Trace
from unlearned.types import PromptInput
from unlearned.unlearners.eco import ForgetScope

ROWS = [Row(question, answer) for question, answer in KNOWN[:3]]
STRENGTHS = [0.25, 1.0, 3.0]


class Given:
    """A measure whose values are given, one list per parameter in the order asked."""

    name: ClassVar[str] = "given"
    generates: ClassVar[bool] = False
    least_gap: ClassVar[float] = 0.1

    def __init__(self, *values: Sequence[float], constant: float | None = None) -> None:
        self.values, self.constant = values, constant

    def __call__(self, runs: Any, texts: Any) -> Any:
        assert len(runs) == len(self.values)
        return np.array(self.values, dtype=float)


class Nothing:
    """A forget_prompts of no prompts."""

    def inputs(self, corruption: Corruption) -> list[PromptInput]:
        return []


def _target(
    *values: Sequence[float], plain: Any, surrogate: Any, constant: float | None = None, name: str = ""
) -> ObjectiveTerm:
    measure = Given(*values, constant=constant)
    if name:
        measure.name = name  # type: ignore[misc]
    return ObjectiveTerm(measure, np.array(plain, dtype=float), np.array(surrogate, dtype=float))


def _evaluate(*targets: ObjectiveTerm, **more: Any) -> list[Evaluation]:
    count = len(targets[0].measure.values)  # type: ignore[attr-defined]
    objective = Objective(Nothing(), targets, lambda strength: Corruption(strength=strength), **more)  # type: ignore[arg-type]
    return objective([float(index) for index in range(count)])


# By hand


def test_distance_gap_error_and_per_item_by_hand() -> None:
    # Plain mean -1, surrogate mean -3: everything is 2 nats. Shares: (1.5, 0.5, -0.5, -0.5) / 2 above their surrogates.
    [found] = _evaluate(_target([-0.5, -2.5, -3.5, -4.5], plain=[-1, -1, -1, -1], surrogate=[-2, -3, -3, -4]))
    shares = [0.75, 0.25, -0.25, -0.25]
    assert found.gap == pytest.approx(0.125)
    assert found.distance == pytest.approx(0.125)
    assert found.value == found.distance
    assert found.per_item == pytest.approx(0.375)
    spread = math.sqrt(sum((share - 0.125) ** 2 for share in shares) / 3)
    assert found.error == pytest.approx(spread / 2)
    assert found.values == {"given": pytest.approx(-2.75)}
    assert (found.penalty, found.degenerate) == (0, 0)
    assert math.isnan(found.perplexity)


def test_everything_remembered_is_one_nothing_is_zero_and_less_than_nothing_is_negative() -> None:
    plain, surrogate = [-1.0, -0.5], [-3.0, -4.5]
    found = _evaluate(_target(plain, surrogate, [-5.0, -8.5], plain=plain, surrogate=surrogate))
    assert [e.gap for e in found] == pytest.approx([1, 0, -1])
    assert [e.distance for e in found] == pytest.approx([1, 0, 1])
    assert [e.parameter for e in found] == [0, 1, 2]


def test_a_measure_that_falls_with_knowledge_counts_the_other_way() -> None:
    # The truth ratio and refusals rise as the model forgets.
    found = _evaluate(_target([0.0], [1.0], [2.0], [3.0], plain=[0.0], surrogate=[2.0]))
    assert [e.gap for e in found] == pytest.approx([1, 0.5, 0, -0.5])


@pytest.mark.parametrize(("plain", "scale"), [(-3.0, 0.1), (-3.05, -0.1), (-2.95, 0.1), (-1.0, 2.0), (-5.0, -2.0)])
def test_a_model_with_nothing_to_forget_is_not_divided_by_nothing(plain: float, scale: float) -> None:
    target = _target([-3.0], plain=[plain], surrogate=[-3.0])
    assert target.scale == pytest.approx(scale)
    assert _evaluate(target)[0].distance == pytest.approx(0)


def test_a_single_example_has_no_error() -> None:
    assert _evaluate(_target([-2.0], plain=[-1.0], surrogate=[-3.0]))[0].error == 0


def test_against_a_constant_there_is_no_distance_per_item() -> None:
    accuracy = _target([1, 0, 0, 0], plain=[1, 1, 1, 1], surrogate=[0.25] * 4, constant=0.25)
    [found] = _evaluate(accuracy)
    assert found.gap == pytest.approx(0)
    assert math.isnan(found.per_item)
    [number] = _evaluate(_target([-1, -3], plain=[0, 0], surrogate=[-2, -2]))  # the user's own number
    assert math.isnan(number.per_item)


def test_several_targets_do_not_cancel_and_only_estimated_ones_count_per_item() -> None:
    one = _target([-1.0, -3.0], [-3.0, -5.0], plain=[-1, -1], surrogate=[-2.5, -3.5], name="one")
    two = _target([1.0, 1.0], [0.5, 0.0], plain=[1, 1], surrogate=[0.5, 0.5], constant=0.5, name="two")
    first, second = _evaluate(one, two)
    # one: scale 2, shares (0.75, 0.25) and (-0.25, -0.75); two: scale 0.5, shares (1, 1) and (0, -1).
    assert (first.gap, second.gap) == (pytest.approx(0.75), pytest.approx(-0.5))
    assert (first.distance, second.distance) == (pytest.approx(0.75), pytest.approx(0.5))
    assert (first.per_item, second.per_item) == (pytest.approx(0.5), pytest.approx(0.5))
    assert first.values == {"one": -2.0, "two": 1.0}
    # Error of the examples' mean over targets: (0.875, 0.625) and (-0.125, -0.875).
    assert (first.error, second.error) == (pytest.approx(0.125), pytest.approx(0.375))
    opposite = _target([-1.0, -1.0], [-1.0, -1.0], plain=[-1, -1], surrogate=[-3, -3])
    [found, _] = _evaluate(opposite, _target([-1.0, -1.0], [0.0, 0.0], plain=[1, 1], surrogate=[0, 0]))
    assert (found.gap, found.distance) == (pytest.approx(0), pytest.approx(1))


# On a model


@pytest.fixture(scope="module")
def problem(engine: TransformersEngine) -> Any:
    """(engine, batch size, rows) -> (forget_prompts, target, answers, guard) as learning makes them."""
    reference: list[Fluency] = []

    def make(scope: ForgetScope, on: TransformersEngine = engine, size: int = 16) -> Objective:
        prompts = [on.tokenize(row.prompt) for row in ROWS]
        measure = Likelihood(MeasureInputs(on, scope.classifier.encoder, ROWS, size))
        unrelated = plain([on.tokenize(question) for question, _ in KNOWN[3:]])
        target = ObjectiveTerm(measure, measure([plain(prompts)], [])[0], measure([unrelated], [])[0])
        answers = GuardedAnswers(on, [0, 2], 12, size)
        if not reference:
            reference.extend(fluency(engine, answers([plain(prompts)])))
        forget_prompts = ForgetPrompts(on, scope, prompts)
        std = float(engine.embedding.weight.detach().std())
        return Objective(
            forget_prompts,
            [target],
            lambda s: Corruption(strength=s, embedding_std=std),
            answers,
            FluencyGuard(reference[0]),
        )

    return make


def _close(one: Evaluation, other: Evaluation, tolerance: float) -> None:
    for name in ("distance", "gap", "error", "per_item", "penalty", "degenerate", "perplexity"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=tolerance, nan_ok=True), name
    assert one.values == pytest.approx(other.values, abs=tolerance)


def test_the_objective_of_a_model_is_what_one_prompt_at_a_time_gives(problem: Any, make_scope: Any) -> None:
    objective = problem(make_scope())
    engine = objective.forget_prompts  # the prompts as they are corrupted
    model, tokenizer = objective.answers.engine.model, objective.answers.engine.tokenizer
    [target] = objective.targets

    def naive(inputs: Sequence[PromptInput]) -> Any:
        pairs = zip(inputs, ROWS, strict=True)
        return np.array([mean_answer_log_likelihood(model, tokenizer, p, str(row.answer)) for p, row in pairs])

    known = naive(plain(objective.forget_prompts.prompts))
    unrelated = naive(plain([objective.answers.engine.tokenize(question) for question, _ in KNOWN[3:]]))
    np.testing.assert_allclose(target.plain, known, atol=1e-4)
    np.testing.assert_allclose(target.surrogate, unrelated, atol=1e-4)
    for found in objective(STRENGTHS):
        values = naive(engine.inputs(objective.with_parameter(found.parameter)))
        whole = known.mean() - unrelated.mean()
        assert found.gap == pytest.approx((values.mean() - unrelated.mean()) / whole, abs=1e-4)
        assert found.per_item == pytest.approx(np.abs(values - unrelated).mean() / whole, abs=1e-4)


def test_without_corruption_everything_remains(problem: Any, make_scope: Any) -> None:
    objective = problem(make_scope())
    [found] = replace(objective, with_parameter=lambda s: Corruption(strength=0.0))([1.0])
    assert found.distance == pytest.approx(1, abs=1e-4)
    assert found.penalty == pytest.approx(0, abs=1e-4)  # the reference here is the same answers


def test_three_candidates_at_once_are_three_single_ones(problem: Any, make_scope: Any) -> None:
    objective = problem(make_scope())
    together = objective(STRENGTHS)
    for strength, found in zip(STRENGTHS, together, strict=True):
        [alone] = objective([strength])
        _close(found, alone, 1e-4)
    assert len({round(found.distance, 3) for found in together}) == 3
    assert all(found.seconds > 0 for found in together)


def test_evaluating_twice_gives_the_same_numbers(problem: Any, make_scope: Any) -> None:
    objective = problem(make_scope())
    one, other = (replace(objective([3.0])[0], seconds=0) for _ in range(2))
    assert repr(one) == repr(other)


@pytest.mark.parametrize("size", [1, 4, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batch_size_and_precision_change_neither_the_objective_nor_the_choice(
    problem: Any, make_scope: Any, engine: TransformersEngine, size: int, dtype: torch.dtype
) -> None:
    on = engine
    if dtype != torch.float32:
        on = TransformersEngine(copy.deepcopy(engine.model).to(dtype), engine.tokenizer)
    scope, exact = make_scope(), dtype == torch.float32
    expected, found = replace(problem(scope), guard=None), replace(problem(scope, on, size), guard=None)
    for one, other in zip(found(STRENGTHS), expected(STRENGTHS), strict=True):
        _close(replace(one, perplexity=0), replace(other, perplexity=0), 1e-4 if exact else 0.08)
    chosen = []
    for objective in (expected, found):
        trace = Trace(objective, Space(low=1 / 16, high=64.0))
        Bracketing()(trace)
        chosen.append(trace.best(0.05).parameter)
    assert math.log(chosen[0] / chosen[1]) == pytest.approx(0, abs=1e-6 if exact else 0.15)


def test_only_the_chosen_prompts_are_answered(problem: Any, make_scope: Any) -> None:
    objective = problem(make_scope())
    runs = [objective.forget_prompts.inputs(objective.with_parameter(strength)) for strength in STRENGTHS]
    found = objective.answers(runs)
    assert [len(answers) for answers in found] == [2, 2, 2]
    for run, answers in zip(runs, found, strict=True):
        for index, answer in zip((0, 2), answers, strict=True):
            [alone] = objective.answers.engine.generate([run[index]], max_new_tokens=12, do_sample=False)
            assert alone == answer


def test_the_guards_penalty_is_added_to_what_is_minimised(problem: Any, make_scope: Any) -> None:
    objective = problem(make_scope())
    strict = replace(objective, guard=FluencyGuard(Fluency(0.0, -3.0)))
    [found] = strict([3.0])
    [judged] = fluency(
        objective.answers.engine, objective.answers([objective.forget_prompts.inputs(strict.with_parameter(3.0))])
    )
    assert found.penalty == pytest.approx(strict.guard.penalty(judged), abs=1e-4)
    assert found.penalty > 1
    assert found.value == found.distance + found.penalty
    assert found.perplexity == pytest.approx(judged.perplexity, rel=1e-4)
    [without] = replace(strict, guard=None)([3.0])
    assert (without.penalty, without.distance) == (0, pytest.approx(found.distance, abs=1e-5))
