"""Functions, their ranges, and the choice among them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from learn_rows import FORGET_ROWS, KNOWN, RETAIN_ROWS

from unlearned.api import Unlearned
from unlearned.artifact import Artifact
from unlearned.corrupt.corruption import Corruption
from unlearned.corrupt.functions import corruptions
from unlearned.errors import ConfigError, DataError
from unlearned.learn.config import AUTO_FUNCTIONS, AUTO_SELECTORS, FitConfig, StrengthConfig
from unlearned.learn.fit import fit, with_strength
from unlearned.learn.objective import Evaluation
from unlearned.learn.strength import HIGH, LEAST_SHARE, LOW, Learned, _choose, corruption_maker, space_of

# The tiny model is trained until it recites, which is said at every fit.
pytestmark = pytest.mark.filterwarnings("ignore:The model recites:unlearned.errors.FitWarning")

SHORT = {"points": 3, "max_evaluations": 4}
DIMS = [name for name in corruptions.names() if corruptions.get(name).parameter == "dims"]
NONE = [name for name in corruptions.names() if corruptions.get(name).parameter is None]


@pytest.fixture
def learn(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> Any:
    def learn(forget: Any = FORGET_ROWS, **settings: Any) -> Artifact:
        config = FitConfig(**({"seed": 1, "search": SHORT} | settings))
        return fit(knowing_model, tiny_tokenizer, forget, RETAIN_ROWS, scope="potter", config=config)

    return learn


# Every function


@pytest.mark.parametrize("function", corruptions.names())
def test_every_function_can_be_learned(learn: Any, function: str) -> None:
    artifact = learn(corruption=function, fluency=False)
    corruption, record = artifact.scopes[0].corruption, artifact.strengths["potter"]
    assert corruption.function == function
    assert set(corruption.stored) == set(corruptions.get(function).stored)
    found = {"sigma": corruption.strength, "dims": corruption.dims}.get(corruptions.get(function).parameter or "")
    if function in NONE:
        assert (corruption.strength, corruption.dims) == (None, None)
        assert len(record.trace) == 1
    else:
        assert found == record.chosen.parameter
        assert 3 <= len(record.trace) <= 4
    assert record.chosen in record.trace
    assert record.chosen.penalty == 0
    assert record.reference_perplexity is record.chosen.perplexity is None
    assert record.candidates == []


@pytest.mark.parametrize("function", corruptions.names())
def test_every_function_takes_a_strength_by_hand(
    learn: Any, knowing_model: Any, tiny_tokenizer: Any, function: str
) -> None:
    artifact = learn(corruption=function, strength=1.0)
    corruption = artifact.scopes[0].corruption
    part = corruptions.get(function)
    assert corruption.strength == (1.0 if part.takes_sigma else None)
    assert corruption.dims == (1 if function in DIMS else None)
    assert set(corruption.stored) == set(part.stored)
    assert artifact.strengths == {}
    [answer] = Unlearned(knowing_model, tiny_tokenizer, artifact).generate([KNOWN[0][0]], max_new_tokens=2)
    assert answer.flagged


def test_a_share_above_one_is_refused_before_anything_is_fitted() -> None:
    with pytest.raises(ConfigError, match=r"strength=1\.5: that of semantic is a share"):
        StrengthConfig(corruption="semantic", strength=1.5)
    assert StrengthConfig(corruption="rand_noise_first_n", strength=1.5).strength == 1.5


def test_arrays_by_hand_are_the_learned_ones(learn: Any) -> None:
    for function in ("semantic", "adversarial"):
        learned, given = (learn(corruption=function, fluency=False, **s) for s in ({}, {"strength": 0.5}))
        for name, array in learned.scopes[0].corruption.stored.items():
            assert np.array_equal(array, given.scopes[0].corruption.stored[name])


def test_arrays_by_hand_are_made_from_the_models_own_answers_where_none_is_given(learn: Any) -> None:
    prompts = [row["prompt"] for row in FORGET_ROWS]
    learned, given = (learn(prompts, corruption="semantic", fluency=False, **s) for s in ({}, {"strength": 0.5}))
    kept, made = (artifact.scopes[0].corruption.stored["bank"] for artifact in (learned, given))
    assert np.array_equal(kept, made)


@pytest.mark.parametrize(("function", "strength"), [("semantic", 1.5), ("zero_out_top_k", 33.0)])
def test_a_strength_that_a_function_cannot_have_is_refused(learn: Any, function: str, strength: float) -> None:
    with pytest.raises(ConfigError, match=r"1\.5|33"):
        learn(corruption=function, strength=strength)


def test_a_strength_by_hand_changes_an_artifact_only_where_there_is_one(learn: Any) -> None:
    semantic = learn(corruption="semantic", strength=0.5)
    changed = with_strength(semantic, 0.25).scopes[0].corruption
    assert changed.strength == 0.25
    assert changed.stored is semantic.scopes[0].corruption.stored
    assert with_strength(learn(corruption="flip_sign_first_n", strength=3), 5).scopes[0].corruption.dims == 5
    with pytest.raises(ConfigError, match="shuffle has no parameter"):
        with_strength(learn(corruption="shuffle", strength=1), 5)


# Ranges


class _Problem:
    """What a range depends on."""

    def __init__(self, make_artifact: Any, **settings: Any) -> None:
        self.config = StrengthConfig(**settings)
        self.base_model = make_artifact(embedding_size=64, embedding_std=0.02).base_model


@pytest.mark.parametrize(
    ("function", "settings", "low", "high"),
    [
        ("rand_noise_first_n", {}, LOW, HIGH),
        ("rand_noise_first_n", {"dims": 1}, LOW * 8, HIGH * 8),
        ("rand_noise_first_n", {"dims": 16}, LOW * 2, HIGH * 2),
        ("rand_noise_first_n", {"dims": 0}, LOW, HIGH),
        ("rand_noise_first_n", {"dims": 1, "unit": "absolute"}, LOW * 8 * 0.02, HIGH * 8 * 0.02),
        ("adversarial", {}, LOW, HIGH),
        ("adversarial", {"dims": 1, "unit": "absolute"}, LOW * 0.02, HIGH * 0.02),  # it always takes all
        ("semantic", {}, LEAST_SHARE, 1.0),
        ("semantic", {"unit": "absolute", "dims": 1}, LEAST_SHARE, 1.0),
    ],
)
def test_the_range_of_a_strength(make_artifact: Any, function: str, settings: Any, low: float, high: float) -> None:
    space = space_of(function, _Problem(make_artifact, **settings))  # type: ignore[arg-type]
    assert (space.low, space.high) == (pytest.approx(low), pytest.approx(high))
    assert not space.integer
    assert space.bounded == (function == "semantic")


@pytest.mark.parametrize("function", DIMS)
def test_the_range_of_dims_is_the_width(make_artifact: Any, function: str) -> None:
    space = space_of(function, _Problem(make_artifact, dims=3))  # type: ignore[arg-type]
    assert (space.low, space.high, space.integer, space.bounded) == (1, 64, True, True)


def test_the_range_of_every_function_is_one_it_can_apply(make_artifact: Any) -> None:
    problem: Any = _Problem(make_artifact)
    vectors = 0.02 * torch.randn(3, 64, generator=torch.Generator().manual_seed(0))
    arrays = np.random.default_rng(0).standard_normal((7, 64)).astype(np.float32)
    stored = {"bank": arrays, "direction": arrays[0] / np.linalg.norm(arrays[0])}
    for function in corruptions.names():
        own = {name: stored[name] for name in corruptions.get(function).stored}
        make = corruption_maker(function, problem.config, problem.base_model, own)
        space = space_of(function, problem)
        for parameter in (space.low, space.high):
            corrupted = make(parameter).apply(vectors, np.random.default_rng(1))
            assert corrupted.shape == vectors.shape
            assert not torch.equal(corrupted, vectors), function


@pytest.mark.parametrize(("unit", "std"), [("embedding_std", 0.02), ("absolute", 1.0)])
def test_a_strength_is_in_the_unit_that_was_asked_for(make_artifact: Any, unit: str, std: float) -> None:
    problem: Any = _Problem(make_artifact, unit=unit)
    made = corruption_maker("rand_noise_first_n", problem.config, problem.base_model, {})(3.0)
    assert made.strength == 3.0
    assert made.sigma == pytest.approx(3 * std)


# Choosing the function


def _learned(make_scope: Any, distance: float, penalty: float = 0.0, per_item: float = math.nan) -> Learned:
    chosen = Evaluation(1.0, distance, distance, penalty=penalty, per_item=per_item)
    return Learned(make_scope(corruption=Corruption(strength=1.0)), chosen, [chosen])


def test_one_candidate_dominates_another_if_it_is_nowhere_worse_and_somewhere_better(make_scope: Any) -> None:
    best = _learned(make_scope, 0.1, 0.0, 0.4)
    for worse in ((0.2, 0.0, 0.4), (0.1, 0.1, 0.4), (0.1, 0.0, 0.5), (0.3, 0.2, 0.9)):
        other = _learned(make_scope, *worse)
        assert best.dominates(other)
        assert not other.dominates(best)
    for different in ((0.05, 0.1, 0.4), (0.2, 0.0, 0.3), (0.05, 0.0, 0.5)):
        other = _learned(make_scope, *different)
        assert not best.dominates(other)
        assert not other.dominates(best)
    assert not best.dominates(_learned(make_scope, 0.1, 0.0, 0.4))
    assert not best.dominates(best)


def test_without_distances_per_item_the_other_two_decide(make_scope: Any) -> None:
    assert _learned(make_scope, 0.1).dominates(_learned(make_scope, 0.2))
    assert not _learned(make_scope, 0.1).dominates(_learned(make_scope, 0.1))


def test_of_the_good_ones_the_closest_per_item_is_chosen(make_scope: Any) -> None:
    lowest = _learned(make_scope, 0.02, 0.0, 0.6)
    closest = _learned(make_scope, 0.03, 0.03, 0.3)
    too_far = _learned(make_scope, 0.2, 0.0, 0.1)
    not_fluent = _learned(make_scope, 0.0, 0.5, 0.1)
    assert _choose([lowest, closest, too_far, not_fluent]) is closest
    assert _choose([lowest, too_far]) is lowest
    assert _choose([_learned(make_scope, 0.04), lowest := _learned(make_scope, 0.01)]) is lowest


def test_auto_tries_all_and_chooses_a_good_one(learn: Any) -> None:
    artifact = learn(corruption="auto", objectives=("likelihood",), search={"points": 3, "max_evaluations": 3})
    record, [scope] = artifact.strengths["potter"], artifact.scopes
    tried = {(candidate.function, candidate.selector): candidate for candidate in record.candidates}
    assert list(tried) == [(f, s) for f in AUTO_FUNCTIONS for s in AUTO_SELECTORS]
    mine = tried[scope.corruption.function, scope.selector]
    assert mine.chosen == record.chosen
    assert record.chosen in record.trace
    assert mine.evaluations == len(record.trace)
    lowest = min(candidate.chosen.value for candidate in record.candidates)
    assert record.chosen.value <= lowest + 0.05
    good = [c.chosen.per_item for c in record.candidates if c.chosen.value <= lowest + 0.05]
    assert record.chosen.per_item == min(good)
    costs = {key: (c.chosen.distance, c.chosen.penalty, c.chosen.per_item) for key, c in tried.items()}
    for key, candidate in tried.items():
        dominated = any(
            other != costs[key] and all(a <= b for a, b in zip(other, costs[key], strict=True))
            for other in costs.values()
        )
        assert candidate.pareto == (not dominated)
    assert any(candidate.pareto for candidate in record.candidates)


def test_auto_also_tries_the_selector_that_was_asked_for(learn: Any) -> None:
    artifact = learn(
        corruption="auto", selector="all_but_last", fluency=False, search={"points": 3, "max_evaluations": 3}
    )
    selectors = [c.selector for c in artifact.strengths["potter"].candidates]
    assert selectors == [*AUTO_SELECTORS, "all_but_last"] * len(AUTO_FUNCTIONS)


# Objectives, optimisers and surrogates through `fit`


def test_several_objectives_are_recorded_each(learn: Any, on_bag_of_words: Any) -> None:
    forget = [row | {"wrong_answers": ["The lazy dog.", "bread"]} for row in FORGET_ROWS]
    record = learn(forget, objectives=("likelihood", "truth_ratio", "refusal")).strengths["potter"]
    assert [measure.name for measure in record.measures] == ["likelihood", "truth_ratio", "refusal"]
    likelihood, ratio, _ = record.measures
    assert likelihood.plain > likelihood.surrogate
    assert ratio.plain < ratio.surrogate
    for measure in record.measures:
        assert measure.found == record.chosen.values[measure.name]


def test_an_objective_whose_column_is_missing_is_refused(learn: Any) -> None:
    with pytest.raises(DataError, match=r"'truth_ratio' needs 'wrong_answers' in every row; 'Who is Harry Potter\?'"):
        learn(objectives=("truth_ratio",))


def test_a_number_as_surrogate_is_aimed_at(learn: Any) -> None:
    record = learn(surrogate="-1.5", fluency=False, search={}).strengths["potter"]
    assert record.surrogate == -1.5
    [measure] = record.measures
    assert measure.surrogate == -1.5
    assert measure.found == pytest.approx(-1.5, abs=0.1)
    assert record.chosen.per_item is None


@pytest.mark.parametrize(
    ("optimiser", "search"), [("finite_difference", {"steps": 2, "start": 2.0, "probe": 1.0, "rate": 1.0}), ("tpe", {})]
)
def test_another_optimiser_can_be_chosen(learn: Any, optimiser: str, search: dict[str, Any]) -> None:
    if optimiser == "tpe":
        pytest.importorskip("optuna")
    record = learn(optimiser=optimiser, search=search, fluency=False).strengths["potter"]
    assert record.optimiser == optimiser
    assert record.chosen.value <= min(evaluation.value for evaluation in record.trace) + 0.05
    if optimiser == "finite_difference":
        assert {1.0, 3.0} <= {evaluation.parameter for evaluation in record.trace}


def test_the_model_is_not_asked_for_answers_without_the_guard(learn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from unlearned.engines.transformers import TransformersEngine

    def generate(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("nothing needs an answer")

    monkeypatch.setattr(TransformersEngine, "generate", generate)
    assert learn(fluency=False, corruption="rand_noise_first_n").strengths["potter"].trace


def test_a_function_with_settings_of_its_own_keeps_them(learn: Any) -> None:
    corruption = learn(dims=4, unit="absolute", fluency=False).scopes[0].corruption
    assert (corruption.dims, corruption.unit) == (4, "absolute")
    assert replace(corruption, strength=1.0).sigma == 1.0
