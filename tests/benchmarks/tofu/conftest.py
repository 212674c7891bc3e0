"""What the tests of this folder share."""

from __future__ import annotations

import copy
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from tofu_asking import TRAINING
from tofu_rows import write_tofu

from unlearned.benchmarks.tofu.config import TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.benchmarks.tofu.finetune import finetune
from unlearned.engines.transformers import TransformersEngine


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


@pytest.fixture
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)
