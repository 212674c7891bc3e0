"""A model is recognised by its embeddings and its vocabulary."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from unlearned.api import Unlearned
from unlearned.artifact.fingerprint import _spread, base_model_record, embeddings_record
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ArtifactMismatchError, ArtifactWarning


def test_an_artifact_for_another_embedding_size_is_refused(
    make_artifact: Any, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    with pytest.raises(ArtifactMismatchError, match=r"embeddings of size 64; this model's have 32"):
        Unlearned(tiny_model, tiny_tokenizer, make_artifact(embedding_size=64))


def test_an_artifact_of_another_model_of_the_same_size_is_warned_about(
    make_artifact: Any, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    with pytest.warns(ArtifactWarning, match="fitted on tiny, but .*differ"):
        Unlearned(tiny_model, tiny_tokenizer, make_artifact())


def test_a_model_is_the_same_in_any_precision_and_another_with_other_weights(
    tiny_model: Any, tiny_tokenizer: Any
) -> None:
    def record(model: Any, tokenizer: Any = tiny_tokenizer) -> Any:
        return base_model_record(TransformersEngine(model, tokenizer))

    own = record(tiny_model)
    half = copy.deepcopy(tiny_model).to(torch.bfloat16)
    assert own.embedding_size == 32
    assert own.embedding_std == pytest.approx(float(tiny_model.get_input_embeddings().weight.detach().std()), rel=0.05)
    assert record(half).embedding_sha256 == own.embedding_sha256
    other = copy.deepcopy(tiny_model)
    other.get_input_embeddings().weight.data[0] += 1
    assert record(other).embedding_sha256 != own.embedding_sha256
    more = copy.deepcopy(tiny_tokenizer)
    more.add_tokens(["<new>"])
    assert (
        embeddings_record(TransformersEngine(tiny_model, tiny_tokenizer).embed, 100, more, "x").tokenizer_sha256
        != own.tokenizer_sha256
    )


def test_rows_are_spread_over_all_of_a_vocabulary_of_any_size() -> None:
    for rows, count in ((1, 64), (3, 64), (64, 64), (1000, 64), (50_000, 4096)):
        found = _spread(rows, count)
        assert len(set(found)) == len(found) == min(rows, count)
        assert (found[0], found[-1]) == (0, rows - 1)
