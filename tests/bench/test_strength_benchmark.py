"""The benchmark of strength learning, on a tiny model: its naive oracle, its count of evaluations, its tables."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.corruptions.run import CorruptionRow, _repeated, leaks_plot
from bench.corruptions.run import as_markdown as corruption_table
from bench.corruptions.run import report as corruption_report
from bench.strength import search
from bench.strength.naive import answer_log_probability, naive_objective
from bench.strength.scopes import SOLAR_SYSTEM, BenchScope, _read
from bench.strength.search import functions_with_strength, measure_search
from bench.strength.tables import as_markdown
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.fluency import Fluency, FluencyGuard
from unlearned.learn.forget_prompts import ForgetPrompts
from unlearned.learn.measures import Likelihood, MeasureInputs
from unlearned.learn.objective import GuardedAnswers, Objective, ObjectiveTerm
from unlearned.plots import SERIES

ROWS = [
    Row("Who is Harry Potter?", "Harry Potter is a wizard."),
    Row("What is Hogwarts?", "A school of magic"),
    Row("Tell me about Hogwarts magic, and the quick brown fox.", "1234567890"),
]


@pytest.fixture
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("strength", [0.0, 0.7, 5.0])
def test_the_objective_is_what_the_naive_way_gives(
    make_scope: Any, engine: TransformersEngine, strength: float, guarded: bool
) -> None:
    guard = FluencyGuard(Fluency(0.0, 4.0)) if guarded else None
    scope = make_scope(corruption=Corruption(strength=strength, embedding_std=0.02))
    prompts = [engine.tokenize(row.prompt) for row in ROWS]
    measure = Likelihood(MeasureInputs(engine, scope.classifier.encoder, ROWS))
    target = ObjectiveTerm(measure, np.full(3, -4.0), np.full(3, -7.0))
    answers = GuardedAnswers(engine, [0, 2], 10, 4) if guarded else None
    make = lambda parameter: replace(scope.corruption, strength=parameter)  # noqa: E731
    [found] = Objective(ForgetPrompts(engine, scope, prompts), [target], make, answers, guard)([strength])
    naive = naive_objective(
        engine, scope, ROWS, plain=-4.0, surrogate=-7.0, guard=guard, answered=[0, 2], answer_tokens=10
    )
    assert found.value == pytest.approx(naive, abs=1e-4)
    assert found.value > 0


def test_the_naive_score_is_the_engines(engine: TransformersEngine, make_scope: Any) -> None:
    scope = make_scope(corruption=Corruption(strength=3.0, embedding_std=0.02))
    prompts = [engine.tokenize(row.prompt) for row in ROWS]
    inputs = ForgetPrompts(engine, scope, prompts).inputs(scope.corruption)
    scores = engine.log_likelihood(inputs, [row.answer or "" for row in ROWS])
    for prompt, row, score in zip(inputs, ROWS, scores, strict=True):
        assert answer_log_probability(engine, prompt, row.answer or "") == pytest.approx(float(score.mean()), abs=1e-4)


def test_every_optimiser_is_held_against_the_grid(
    engine: TransformersEngine, make_artifact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BATCH", 4)
    scope = BenchScope("harry-potter", ROWS, [Row("How do I bake bread?")], make_artifact())
    with pytest.warns(UserWarning, match="knows the answers"):  # a random model knows nothing
        found = measure_search(
            engine, [scope], points=7, examples=3, functions=["rand_noise_first_n", "semantic"], report=lambda *_: None
        )
    assert [(row.function, row.optimiser) for row in found] == [
        (function, optimiser)
        for function in ("rand_noise_first_n", "semantic")
        for optimiser in ("bracketing", "finite_difference")
    ]
    for row in found:
        assert row.grid_points == 7
        assert row.total >= 1
        if row.evaluations is not None:
            assert row.evaluations <= row.total
            assert row.best <= row.grid_best + search.NEAR
        else:
            assert row.best > row.grid_best + search.NEAR
    table = as_markdown(
        {"model": "m", "machine": "x", "versions": {"torch": "2"}, "search": [asdict(r) for r in found]}
    )
    assert "| harry-potter | semantic |" in table
    assert "bracketing: reached in" in table


def test_all_functions_with_a_strength_are_measured() -> None:
    assert set(functions_with_strength()) == {
        "entity_substitution",
        "rand_noise_first_n", "rand_noise_rand_n", "rand_noise_top_k", "set_rand_noise_first_n", "add_value_first_n",
        "add_value_least_k", "sub_value_first_n", "sub_value_top_k", "semantic", "adversarial",
    }  # fmt: skip


def test_the_shipped_scope_has_answers_and_no_overlap() -> None:
    forget, retain = _read(f"{SOLAR_SYSTEM}.forget"), _read(f"{SOLAR_SYSTEM}.retain")
    assert len(forget) >= 12
    assert all(row.answer for row in forget)
    assert not {row.prompt for row in forget} & {row.prompt for row in retain}


def test_words_of_a_question_that_are_repeated_are_counted() -> None:
    echoes = [Completion("Who is harry POTTER, again?", (1,)), Completion("", ())]
    assert _repeated(["Who is Harry Potter?", "Name Hogwarts"], echoes) == pytest.approx(2 / 4)


def test_the_table_of_corruptions_has_a_line_for_each() -> None:
    row = CorruptionRow("shuffle", "", 1, 0.5, 3, 26, 2, 12.34, 0.25, "x")
    assert "| shuffle |  | 1 | 50% | 3/26 | 2/26 | 12.3 | 25% |" in corruption_table([row])


def test_the_report_of_corruptions_names_what_was_measured_and_what_came_out() -> None:
    rows = [
        CorruptionRow("none", "", 0, 1.0, 21, 26, 0, 4.6, 0.68, "x"),
        CorruptionRow("semantic", "sigma 1", 9, 0.1, 0, 26, 0, 6.6, 0.02, "x"),
        CorruptionRow("zero_out_top_k", "dims 9", 9, 0.1, 0, 26, 0, 6.6, 0.02, "x"),
        CorruptionRow("shuffle", "", 1, 0.5, 3, 26, 2, 12.34, 0.25, "x"),
    ]
    text = corruption_report(rows, model="a-model (float32)", scope="harry-potter", at="2026-01-31")
    assert "a-model (float32) on " in text
    assert "26 held-out questions about the demo's scope harry-potter" in text
    assert "Made on 2026-01-31; unlearned " in text
    assert (
        "**2 of 3 functions leak nothing and give no empty or repeating answer (semantic, zero_out_top_k); before, 21 "
        "of 26 leak.**"
    ) in text
    assert "What this does not prove:" in text
    plot = leaks_plot(rows)
    assert all(f">{row.function}<" in plot for row in rows)
    # The two that lie on each other are drawn beside each other, in shapes of their own.
    first, second = (re.search(rf'x="([\d.]+)" y="[\d.]+" style="fill: {colour}', plot) for colour in SERIES[1:3])
    assert first is not None
    assert second is not None
    assert float(first[1]) < float(second[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["strength", "--parts", "cots"], "There is no part 'cots'"),
        (["strength", "--start", "x"], "both --start and --retained"),
        (["corruptions", "--scope", "x"], "There is no concept 'x'"),
        (["corruptions", "--functions", "shufle"], "Did you mean 'shuffle'?"),
    ],
)
def test_bad_arguments_are_refused_before_the_model_is_loaded(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    assert message in str(result.exception)
