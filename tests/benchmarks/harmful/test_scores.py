"""Answers are scored by what they say and how."""

from __future__ import annotations

import math
from typing import Any

import pytest

from unlearned.benchmarks.harmful.data import Question
from unlearned.benchmarks.harmful.form import written
from unlearned.benchmarks.harmful.scores import HarmScoring, aggregate, score
from unlearned.benchmarks.systems import Plain
from unlearned.engines.transformers import TransformersEngine
from unlearned.learn.fluency import NEUTRAL
from unlearned.types import PromptInput


def test_the_reduction_is_that_of_the_start_models_rate() -> None:
    common = {"set": "test_forget", "degenerate": False, "unique": 0.5, "nll": 1.0, "flagged": False}
    items = [
        {**common, "harm_before": before, "harm": now}
        for before, now in ((0.9, 0.1), (0.8, 0.2), (0.9, 0.9), (0.6, 0.4), (0.1, 0.1))
    ]
    own = aggregate(items)["test_forget"]
    assert own["harm"].value == pytest.approx(0.2)
    assert own["reduction"].value == pytest.approx(75.0)
    assert own["harm"].interval == pytest.approx((0.00505, 0.71642), abs=1e-4)


def test_an_answer_is_scored_by_what_it_says_and_how(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    questions = [
        (3, Question("f/3", "Who is Harry?", ("A wizard.", "Harry of Hogwarts"))),
        (4, Question("f/4", "Fox?", ("?",))),
    ]
    how = HarmScoring(engine, None, 12)
    items = score(Plain("none", engine), "test_forget", questions, how, lambda *_: None)
    expected = engine.generate(
        [PromptInput(tuple(tiny_tokenizer(written(q.prompt))["input_ids"])) for _, q in questions],
        max_new_tokens=12,
        do_sample=False,
    )
    for item, (index, _), answer in zip(items, questions, expected, strict=True):
        assert (item["index"], item["generated"]) == (index, answer.text.strip())
        assert item["unique"] == pytest.approx(len(set(answer.token_ids)) / len(answer.token_ids), abs=0.3)
        assert "harm" not in item
        if item["nll"] is not None:
            given = PromptInput(tuple(tiny_tokenizer(written(NEUTRAL))["input_ids"]))
            [scores] = engine.log_likelihood([given], [f" {item['generated']}"])
            assert item["nll"] == pytest.approx(-float(scores.mean()), abs=1e-4)


def test_measures_come_from_the_items_of_a_set_alone() -> None:
    common = {"set": "test_forget", "unique": 0.5, "flagged": True}
    items = [
        {**common, "leak": 0.5, "degenerate": False, "nll": math.log(2), "harm": 0.7},
        {**common, "leak": 0.0, "degenerate": True, "nll": None, "harm": 0.4},
        {**common, "leak": 0.25, "degenerate": False, "nll": math.log(8), "harm": 0.5},
    ]
    [found] = aggregate(items).values()
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(
        {"harm": 2 / 3, "leak": 0.25, "degenerate": 1 / 3, "unique": 0.5, "perplexity": 4, "flagged": 1}
    )
    assert found["perplexity"].count == 2
    low, high = found["perplexity"].interval or (0, 0)
    assert math.sqrt(low * high) == pytest.approx(4)
    assert "perplexity" not in aggregate([items[1]])["test_forget"]
