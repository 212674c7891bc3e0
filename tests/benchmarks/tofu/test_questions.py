"""Which questions are asked together."""

from __future__ import annotations

import copy
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from tofu_rows import write_tofu

from unlearned.benchmarks.tofu.config import EvaluationConfig, FinetuneConfig, TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.benchmarks.tofu.finetune import finetune
from unlearned.benchmarks.tofu.questions import questions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
    pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning"),  # p just above 1 where five values hardly differ
]

TRAINING = FinetuneConfig(epochs=1, batch_size=8, rank=2, alpha=4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """data/, model/ and the two adapters."""
    folder = tmp_path_factory.mktemp("tofu")
    write_tofu(folder / "data" / "tofu")
    copy.deepcopy(tiny_model).save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    data = load_tofu(folder / "data", TofuSplit(authors=3))
    for name, pairs in (("start", data.all_pairs), ("retained", data.retain_pairs)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks for something deprecated
            trained = finetune(
                lambda: (copy.deepcopy(tiny_model), tiny_tokenizer), pairs, TRAINING, cache=folder / "cache"
            )
        shutil.copytree(trained, folder / name)
    return folder


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
