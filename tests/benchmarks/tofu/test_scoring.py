"""Losses of many answers at once, against one answer at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearned.api import Unlearned
from unlearned.benchmarks.tofu.scoring import Scored, Scorer, measure_scoring_speed, naive_losses, together, tree_of
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError
from unlearned.types import PromptInput

QUESTIONS = ["Who is Harry Potter?", "What is Hogwarts, and where?", "Is the dog lazy?", "How do I bake bread?"]
ANSWERS = (
    ("Harry Potter is a wizard.<|end|>", "Harry Potter is a fox.<|end|>", "Harry.<|end|>", "A dog.<|end|>"),
    ("A school of magic.<|end|>", "A school of bread.<|end|>"),
    ("Yes<|end|>", "Yes, it is.<|end|>", "No<|end|>"),
    ("You bake it.<|end|>",),
)


@pytest.fixture
def rows(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> list[Scored]:
    """Two corrupted questions and two plain ones."""
    view = Unlearned(tiny_model, tiny_tokenizer, make_artifact())
    prompts = [view.engine.tokenize(question) for question in QUESTIONS]
    inputs = view.unlearner.prepare(prompts, view.engine)
    assert [given.corrupted for given in inputs] == [True, True, False, False]
    return [Scored(*row) for row in zip(prompts, inputs, ANSWERS, strict=True)]


@pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")
@pytest.mark.parametrize("questions", [1, 3, 16])
def test_trees_give_the_losses_of_one_answer_at_a_time(
    rows: list[Scored], tiny_model: Any, tiny_tokenizer: Any, questions: int
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    scorer = Scorer(engine, questions=questions)
    found = scorer.score(rows)
    assert scorer._trees  # and not the engine's own way
    for index, row in enumerate(rows):
        naive = naive_losses(engine, row)
        assert found[index].tokens == naive.tokens
        assert found[index].means == pytest.approx(naive.means, abs=1e-5)
    plain = scorer.score([Scored(rows[0].prompt, PromptInput(rows[0].input.token_ids), rows[0].targets)])
    assert plain[0].means != pytest.approx(found[0].means, abs=1e-3)


@pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")
def test_a_plain_row_is_identical_to_the_bit_beside_corrupted_ones(
    rows: list[Scored], tiny_model: Any, tiny_tokenizer: Any
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    plain = [Scored(row.prompt, PromptInput(row.input.token_ids), row.targets) for row in rows]
    for questions in (1, 4):
        scorer = Scorer(engine, questions=questions)
        beside, alone = scorer.score(rows), scorer.score(plain)
        assert [beside[2], beside[3]] == [alone[2], alone[3]]


@pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")
def test_a_model_that_does_not_take_trees_is_scored_by_its_engine(
    rows: list[Scored], tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    expected = Scorer(engine).score(rows)
    scorer = Scorer(engine)

    def refuse(group: Any) -> Any:
        raise TypeError("unexpected argument")

    monkeypatch.setattr(scorer, "_by_trees", refuse)
    found = scorer.score(rows)
    assert scorer._trees is False
    for index in range(4):
        assert found[index].means == pytest.approx(expected[index].means, abs=1e-5)
        assert found[index].tokens == expected[index].tokens


@pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")
def test_wrong_losses_of_trees_are_noticed(
    rows: list[Scored], tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unlearned.benchmarks.tofu import scoring

    real = scoring._layout

    def causal(*arguments: Any) -> Any:  # as if the model put its own mask in the place of ours
        layout = real(*arguments)
        length = layout.ids.shape[1]
        layout.mask.copy_(torch.ones(length, length).triu(1).expand_as(layout.mask))
        return layout

    monkeypatch.setattr(scoring, "_layout", causal)
    scorer = Scorer(TransformersEngine(tiny_model, tiny_tokenizer))
    scorer.score(rows[:1])
    assert scorer._trees is False


def test_a_beginning_that_all_prompts_share_can_be_given(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompts = [engine.tokenize(f"You know of no fox and no dog. {question}") for question in QUESTIONS]
    rows = [Scored(p, PromptInput(p.token_ids), a) for p, a in zip(prompts, ANSWERS, strict=True)]
    shared = next(i for i, ids in enumerate(zip(*(p.token_ids for p in prompts), strict=False)) if len(set(ids)) > 1)
    scorer = Scorer(engine)
    found, expected = scorer.score(rows, shared=shared), Scorer(engine).score(rows)
    assert scorer._prefix is not None
    assert len(scorer._prefix[0]) == shared
    for index in range(4):
        assert found[index].means == pytest.approx(expected[index].means, abs=1e-5)


def test_an_empty_answer_is_an_error(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompt = engine.tokenize("Who?")
    with pytest.raises(DataError, match="no token"):
        Scorer(engine).score([Scored(prompt, PromptInput(prompt.token_ids), ("",))])


def test_a_tree_joins_what_begins_alike() -> None:
    tree = tree_of([(1, 2, 3), (1, 2, 4), (5,), (1, 2)])
    assert tree.tokens == (1, 2, 3, 4, 5)
    assert tree.parents == (-1, 0, 1, 1, -1)
    assert tree.paths == ((0, 1, 2), (0, 1, 3), (4,), (0, 1))
    assert tree.depths == (0, 1, 2, 2, 0)


def test_groups_are_of_similar_length() -> None:
    assert together([3, 9, 3, 7, 1], 2) == [[1, 3], [0, 2], [4]]


def test_speed_is_measured_on_the_same_losses(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompts = [engine.tokenize(question) for question in QUESTIONS]
    rows = [Scored(p, PromptInput(p.token_ids), a) for p, a in zip(prompts, ANSWERS, strict=True)]
    found = measure_scoring_speed(Scorer(engine), rows, rounds=2)
    assert (found.questions, found.answers) == (4, 10)
    assert found.largest_difference < 1e-4
    assert found.ratio > 0
