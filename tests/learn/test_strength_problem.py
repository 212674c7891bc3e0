"""What a corruption is learned on: rows with answers, and a warning where the model knows nothing to forget."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from unlearned.artifact.fingerprint import base_model_record
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError, FitWarning
from unlearned.examples import Row
from unlearned.learn.config import StrengthConfig
from unlearned.learn.strength_problem import prepare_problem, with_answers

CONFIG = StrengthConfig(
    objectives=("likelihood",), corruption="rand_noise_first_n", answer_tokens=4, fluency=False, max_examples=2
)
ROWS = [Row("Who is Harry Potter?", "A wizard."), Row("What is Hogwarts?"), Row("Who is the fox?", "Quick.")]


@pytest.fixture(scope="module")
def own_engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


def test_rows_without_an_answer_get_the_models_own_and_others_keep_theirs(own_engine: TransformersEngine) -> None:
    told: list[str] = []
    rows = with_answers(own_engine, ROWS, CONFIG, lambda phase, done, total: told.append(phase))
    assert [row.answer for row in rows if row.prompt != ROWS[1].prompt] == ["A wizard.", "Quick."]
    assert set(told) == {"answers"}
    told.clear()
    assert with_answers(own_engine, ROWS[:1], CONFIG, lambda *_: told.append("")) == ROWS[:1]
    assert told == []


def test_without_any_answer_there_is_nothing_to_learn_on(
    own_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unlearned.engines.base import Completion

    silent = [Completion(" \n", ())]
    monkeypatch.setattr(TransformersEngine, "generate", lambda self, inputs, **more: silent * len(inputs))
    with pytest.raises(FitError):
        with_answers(own_engine, [Row("a"), Row("b")], CONFIG, lambda *_: None)
    [kept] = with_answers(own_engine, [Row("a"), Row("b", "c")], CONFIG, lambda *_: None)
    assert kept.answer == "c"


def test_evenly_spread_rows_are_taken_and_a_model_that_knows_nothing_is_warned_about(
    own_engine: TransformersEngine, make_scope: Any
) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        problem = prepare_problem(
            own_engine, base_model_record(own_engine), make_scope(), ROWS, [], CONFIG, lambda *_: None
        )
    assert [row.prompt for row in problem.rows] == [ROWS[0].prompt, ROWS[2].prompt]
    assert [target.measure.name for target in problem.targets] == ["likelihood"]
    assert (problem.guard, problem.answers) == (None, None)
    assert len(problem.prompts) == 2
    [warning] = [one for one in said if issubclass(one.category, FitWarning)]
    assert "likelihood" in str(warning.message)
    assert warning.filename == __file__  # where somebody can do something about it
