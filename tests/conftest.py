"""Fixtures: a three-layer random model, a tokenizer made here, a bag-of-words encoder; and the embedded real ones.

What is heavy is imported by the fixtures that need it: the process that hands out the files runs no test, and the
others wait for it.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny matrices: threads would only wait for each other

import numpy as np
import pytest

from tiny_rows import FORGET, RETAIN

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from unlearned.artifact.artifact import Artifact
    from unlearned.classify.base import Floats
    from unlearned.corrupt.corruption import Corruption
    from unlearned.unlearners.eco import ForgetScope

TEMPLATE = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|turn|>system\nYou help.<|end|>\n{% endif %}"
    "<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the embedded model are slow. Files that may take longest come first: each process takes the next one."""
    most: dict[Path, tuple[float, int]] = {}
    for item in items:
        if "embedded" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
        timeout, slow = item.get_closest_marker("timeout"), item.get_closest_marker("slow")
        longest, count = most.get(item.path, (0.0, 0))
        most[item.path] = max(longest, timeout.args[0] if timeout else 0.0), count + (slow is not None)
    items.sort(key=lambda item: most[item.path], reverse=True)


class BagOfWords:
    """A text encoder without a model: every word has its random direction. Unit length; same words, same vector."""

    name = "bag-of-words"

    def encode(self, texts: Sequence[str]) -> Floats:
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                vectors[row] += _direction(word)
        normed: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return normed


@cache
def _direction(word: str) -> Any:
    direction = np.random.default_rng(zlib.crc32(word.encode())).standard_normal(64)
    direction.flags.writeable = False
    return direction


@pytest.fixture(scope="session")
def bag_of_words() -> BagOfWords:
    return BagOfWords()


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a chat template whose turn markers are special tokens."""
    from tiny_tokenizer import CORPUS, byte_level

    special = ["<pad>", "<|end|>", "<|turn|>"]
    return byte_level(
        CORPUS, 400, special, end="<|end|>", additional_special_tokens=["<|turn|>"], chat_template=TEMPLATE
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Three random Llama layers, float32. Tests must leave it as they found it."""
    import torch

    from tiny_llama import tiny_llama

    torch.manual_seed(0)
    return tiny_llama(tiny_tokenizer).eval()


@pytest.fixture
def make_scope(bag_of_words: BagOfWords) -> Any:
    """(name, forget, retain, corruption, secret) -> ForgetScope on the bag-of-words encoder."""
    from unlearned.classify.base import Features
    from unlearned.classify.neighbours import NeighboursClassifier
    from unlearned.corrupt.corruption import Corruption
    from unlearned.unlearners.eco import ForgetScope

    def make(
        name: str = "harry-potter",
        forget: Sequence[str] = FORGET,
        retain: Sequence[str] = RETAIN,
        corruption: Corruption | None = None,
        secret: bytes = b"s" * 32,
        **more: Any,
    ) -> ForgetScope:
        examples = (Features.of(texts, bag_of_words) for texts in (forget, retain))
        classifier = NeighboursClassifier.fit(bag_of_words, *examples, {})
        return ForgetScope(
            name=name,
            classifier=classifier,
            threshold=more.pop("threshold", 0.5),
            corruption=corruption or Corruption(strength=3.0, embedding_std=0.02),
            secret=secret,
            **more,
        )

    return make


@pytest.fixture
def make_artifact(make_scope: Any, bag_of_words: BagOfWords) -> Any:
    """Scopes -> Artifact for the tiny model, on the bag-of-words encoder."""
    from unlearned.artifact.artifact import Artifact
    from unlearned.artifact.schema import BaseModelRecord
    from unlearned.classify.sentences import PROBE

    def make(*scopes: ForgetScope, embedding_size: int = 32, **base_model: Any) -> Artifact:
        record: dict[str, Any] = {
            "id": "tiny",
            "embedding_size": embedding_size,
            "embedding_std": 0.02,
            "embedding_sha256": "0" * 64,
            "tokenizer_sha256": "0" * 64,
        }
        return Artifact(
            scopes=scopes or (make_scope(),),
            base_model=BaseModelRecord(**(record | base_model)),
            encoder=bag_of_words,
            encoder_probe=bag_of_words.encode([PROBE])[0],
            secret=b"s" * 32,
        )

    return make


@pytest.fixture(scope="session")
def embedded() -> tuple[Any, Any]:
    """The real embedded model and its tokenizer."""
    from unlearned.models import load_model

    return load_model("embedded")
