"""Losses and texts of each question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tofu_asking import SHORT

from unlearned.benchmarks.systems import Plain
from unlearned.benchmarks.tofu.config import TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.benchmarks.tofu.evaluate import evaluate
from unlearned.benchmarks.tofu.items import as_log, evaluation_from_json, evaluation_json, leak
from unlearned.benchmarks.tofu.log import SETS
from unlearned.benchmarks.tofu.questions import questions
from unlearned.benchmarks.tofu.scoring import Scored, Scorer, naive_losses
from unlearned.engines.transformers import TransformersEngine
from unlearned.types import PromptInput

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
    pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning"),  # p just above 1 where five values hardly differ
]


def test_losses_and_texts_are_those_of_one_question_at_a_time(place: Path, engine: TransformersEngine) -> None:
    data = load_tofu(place / "data", TofuSplit(authors=3, limit=4))
    asked = questions(data, SHORT)
    found = evaluate(Plain("start", engine), Scorer(engine), asked, SHORT)
    for name in SETS:
        for row, item in zip(data.sets()[name], found[name], strict=True):
            prompt = engine.tokenize(row.question)
            answers = (row.answer, row.paraphrased_answer, *row.wrong_answers)
            targets = tuple(f"{answer}<|end|>" for answer in answers)
            naive = naive_losses(engine, Scored(prompt, PromptInput(prompt.token_ids), targets))
            assert item.losses == pytest.approx(naive.means, abs=1e-4)
            assert item.counts == naive.tokens
            [alone] = engine.generate([PromptInput(prompt.token_ids)], max_new_tokens=6, do_sample=False)
            assert item.generated == alone.text
    log = as_log(found)
    assert log.forget.answer_losses.tolist() == [item.losses[0] for item in found["forget"]]
    assert (log.real_authors.answer_losses == log.real_authors.paraphrased_losses).all()
    assert log.forget.generated is not None
    assert log.forget.generated[0].prompt.startswith("<|turn|>system")
    assert evaluation_from_json(json.loads(json.dumps(evaluation_json(found)))) == found


def test_a_leak_is_what_the_question_did_not_say() -> None:
    truth, question = "Her father was a florist in Kuwait City.", "What did the father of Ann do in Kuwait?"
    assert leak("A florist.", truth, question) == pytest.approx(1 / 2)  # florist, city
    assert leak("Ann's father lived in Kuwait.", truth, question) == 0
    assert leak("anything", "He did.", question) == 0
