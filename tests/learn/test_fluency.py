"""The guard against silence and nonsense."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from oracles.likelihood import mean_answer_log_likelihood
from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError
from unlearned.learn.fluency import NEUTRAL, Fluency, FluencyGuard, fluency, is_degenerate, recites
from unlearned.types import PromptInput


def _answer(engine: Any, text: str) -> Completion:
    return Completion(text, tuple(engine.tokenizer(text, add_special_tokens=False)["input_ids"]))


@pytest.mark.parametrize(
    ("text", "ids", "degenerate"),
    [
        ("", (), True),
        ("", (1,), True),  # ended at once
        (" \n\t", (5, 6), True),
        ("a a a a a a a", (5,) * 7, False),  # too short to tell
        ("a a a a a a a a", (5,) * 8, True),
        ("ababab", (5, 6) * 5, True),  # 2 of 10
        ("abcabc", (5, 6, 7, 5, 6, 7, 5, 6, 7, 5), False),  # 3 of 10
        ("a fluent answer of nine words that differ", tuple(range(9)), False),
        ("no", (5,), False),
    ],
)
def test_an_answer_is_degenerate_if_it_is_empty_or_repeats_itself(
    text: str, ids: tuple[int, ...], degenerate: bool
) -> None:
    assert is_degenerate(Completion(text, ids)) == degenerate


def test_perplexity_is_that_of_the_sound_answers_under_the_plain_model(engine: TransformersEngine) -> None:
    texts = [["Harry Potter is a wizard.", "", "bread"], ["", " ", ""], ["The lazy dog.", "fox", "fox fox fox"]]
    found = fluency(engine, [[_answer(engine, text) for text in row] for row in texts])
    neutral = PromptInput(engine.tokenize(NEUTRAL).token_ids)

    def negative(text: str) -> float:
        return -mean_answer_log_likelihood(engine.model, engine.tokenizer, neutral, text)

    assert [f.degenerate for f in found] == pytest.approx([1 / 3, 1, 0])
    assert found[0].log_perplexity == pytest.approx((negative(texts[0][0]) + negative("bread")) / 2, abs=1e-4)
    assert found[0].perplexity == pytest.approx(math.exp(found[0].log_perplexity))
    assert math.isnan(found[1].log_perplexity)
    assert found[2].log_perplexity == pytest.approx(sum(map(negative, texts[2])) / 3, abs=1e-4)


def test_one_set_of_answers_is_judged_as_it_is_beside_others(engine: TransformersEngine) -> None:
    runs = [[_answer(engine, text) for text in row] for row in (["A wizard."], ["The lazy dog jumps", "fox"], [""])]
    together = fluency(engine, runs, batch_size=2)
    for run, found in zip(runs, together, strict=True):
        [alone] = fluency(engine, [run])
        assert alone.degenerate == found.degenerate
        assert alone.log_perplexity == pytest.approx(found.log_perplexity, abs=1e-4, nan_ok=True)


def test_fluent_text_is_less_perplexing_than_nonsense(embedded: Any) -> None:
    engine = TransformersEngine(*embedded)
    texts = ["I am not sure, but I think that it is a city in France.", "Horse the of; if seven under blue did ought."]
    fine, nonsense = fluency(engine, [[_answer(engine, text)] for text in texts])
    guard = FluencyGuard(fine)
    assert guard.penalty(fine) == 0
    assert guard.penalty(nonsense) > 0.5


@pytest.mark.parametrize(
    ("degenerate", "log_perplexity", "penalty"),
    [
        (0.25, 2.0, 0.0),  # as the reference
        (0.0, 2.0 - math.log(2), 0.0),  # half as perplexing is allowed
        (0.25, 2.0 - math.log(4), 1.0),  # a quarter: stock phrases
        (0.25, 2.0 + math.log(2), 0.0),  # twice as perplexing is allowed
        (0.25, 2.0 + math.log(4), 1.0),  # four times
        (0.25, 2.0 + math.log(8), 2.0),
        (0.75, 2.0, 0.5),
        (1.0, math.nan, 0.75),  # nothing left whose perplexity could be judged
        (0.5, 2.0 + math.log(4), 1.25),
        (0.0, 2.0 + math.log(4), 1.0),  # being less degenerate buys nothing
    ],
)
def test_the_penalty_by_hand(degenerate: float, log_perplexity: float, penalty: float) -> None:
    guard = FluencyGuard(Fluency(0.25, 2.0))
    assert guard.penalty(Fluency(degenerate, log_perplexity)) == pytest.approx(penalty, abs=1e-12)


def test_a_model_that_never_answers_has_no_reference() -> None:
    with pytest.raises(FitError, match=r"about invented subjects are empty or repeat themselves.*--no-fluency"):
        FluencyGuard(Fluency(1.0, math.nan))


# A model that recites is no judge of fluency.


@pytest.mark.parametrize(
    ("costs", "found"),
    [
        ([0.01, 0.05, 0.02], True),
        ([0.01, 0.05, 2.0], True),  # one answer that it does not know
        ([0.5, 0.6, 0.4], False),  # a model's own greedy answers
        ([0.01, 0.9, 1.5], False),
    ],
)
def test_answers_that_cost_next_to_nothing_are_recited(costs: list[float], found: bool) -> None:
    assert recites([np.full(20, -cost) for cost in costs]) is found


def test_short_answers_such_as_letters_say_nothing() -> None:
    assert not recites([np.full(2, -0.001)] * 5)
    assert not recites([])
