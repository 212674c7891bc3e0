"""Which questions are asked together."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearned.benchmarks.tofu.config import EvaluationConfig, TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.benchmarks.tofu.questions import questions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
    pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning"),  # p just above 1 where five values hardly differ
]


def test_pairs_hold_every_forget_question_with_a_retain_question_in_both_orders(place: Path) -> None:
    data = load_tofu(place / "data", TofuSplit(authors=3))
    pairs = questions(data, EvaluationConfig(pairs=6))["paired"]
    assert len(pairs) == 12
    assert pairs[0].id == "full/60+full/20"
    assert pairs[1].id == "full/20+full/60"
    assert pairs[0].text == f"{data.forget[0].question} {data.retain[0].question}"
    assert pairs[1].text == f"{data.retain[0].question} {data.forget[0].question}"
    assert pairs[0].truths == pairs[1].truths == (data.forget[0].answer, data.retain[0].answer)
    assert len({pair.id for pair in pairs}) == 12
