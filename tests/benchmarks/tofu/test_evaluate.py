"""A system is scored as its engine scores it, whatever shares its batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tofu_asking import SHORT

from unlearned.benchmarks.systems import Plain, Prefixed
from unlearned.benchmarks.tofu.config import TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.benchmarks.tofu.evaluate import evaluate_set
from unlearned.benchmarks.tofu.prepared import ask
from unlearned.benchmarks.tofu.questions import questions
from unlearned.benchmarks.tofu.scoring import Scorer
from unlearned.engines.transformers import TransformersEngine
from unlearned.unlearners.spul import SPUL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
    pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning"),  # p just above 1 where five values hardly differ
]


def test_a_soft_prompt_is_scored_as_the_engine_scores_it(place: Path, engine: TransformersEngine) -> None:
    soft = SPUL(0.05 * torch.randn((12, 32), generator=torch.Generator().manual_seed(0)), engine.substitute_id)
    data = load_tofu(place / "data", TofuSplit(authors=3, limit=4))
    rows = questions(data, SHORT)["forget"]
    asked = ask(Prefixed(engine, soft), [row.text for row in rows])
    items = evaluate_set(asked, rows, Scorer(engine), SHORT)
    for one, row, item in zip(asked, rows, items, strict=True):
        targets = [f"{answer}<|end|>" for answer in row.answers]
        likely = engine.log_likelihood([one.input] * len(targets), targets)
        assert item.losses == pytest.approx([-float(tokens.mean()) for tokens in likely], abs=1e-4)


def test_rows_that_share_a_batch_with_a_wanted_one_are_the_same_as_in_a_whole_run(
    place: Path, engine: TransformersEngine
) -> None:
    data = load_tofu(place / "data", TofuSplit(authors=3))
    rows = questions(data, SHORT)["retain"]
    plain = ask(Plain("start", engine), [row.text for row in rows])
    whole = evaluate_set(plain, rows, Scorer(engine), SHORT)
    some = evaluate_set(plain, rows, Scorer(engine), SHORT, needed={3}, reference=whole)
    assert some[3].computed
    assert some[3].identical
    assert 1 <= sum(item.computed for item in some) <= 4
    for before, after in zip(whole, some, strict=True):
        assert (before.generated, before.losses) == (after.generated, after.losses)
