"""Recognise a language model by its embeddings and vocabulary, in whatever precision it was loaded."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from unlearned.artifact.schema import BaseModelRecord
from unlearned.engines.injection import inner_model
from unlearned.engines.transformers import TransformersEngine, embedding_rows
from unlearned.errors import ArtifactMismatchError, ArtifactWarning

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SAMPLED_ROWS = 64


def base_model_record(engine: TransformersEngine) -> BaseModelRecord:
    """Identity and embedding scale of the engine's model."""
    name = str(getattr(inner_model(engine.model).config, "_name_or_path", "") or "unknown")
    return embeddings_record(engine.embed, embedding_rows(engine.model), engine.tokenizer, name)


def embeddings_record(
    embed: Callable[[Sequence[int]], Tensor], rows: int, tokenizer: PreTrainedTokenizerBase, name: str
) -> BaseModelRecord:
    """Describe a model that runs elsewhere.

    Args:
        embed: T token ids -> (T, D) embeddings, as the model's first layer reads them.
        rows: how many ids there are.
        tokenizer: the model's.
        name: the model's.
    """
    embeddings = embed(_spread(rows, SAMPLED_ROWS))
    rounded = embeddings.to(torch.bfloat16).contiguous().view(torch.int16).numpy()
    vocabulary = json.dumps(sorted(tokenizer.get_vocab().items()))
    return BaseModelRecord(
        id=name,
        embedding_size=embeddings.shape[1],
        embedding_std=float(embed(_spread(rows, 4096)).float().std()),
        embedding_sha256=hashlib.sha256(rounded.astype("<i2").tobytes()).hexdigest(),
        tokenizer_sha256=hashlib.sha256(vocabulary.encode()).hexdigest(),
    )


def _spread(rows: int, count: int) -> list[int]:
    """Up to `count` evenly spaced ids."""
    spread: list[int] = np.linspace(0, rows - 1, num=min(rows, count)).astype(int).tolist()
    return spread


def check_base_model(
    name: str, made_for: BaseModelRecord, here: BaseModelRecord, harm: str, *, stacklevel: int
) -> None:
    """Is what was fitted on one model used on the same one?

    Args:
        name: what was fitted, as the message begins.
        made_for: the model of the fit.
        here: the model it is used with.
        harm: what may go wrong on another model of the same size.
        stacklevel: of the warning, as `warnings.warn` counts.

    Raises:
        ArtifactMismatchError: another embedding size.
    """
    if made_for.embedding_size != here.embedding_size:
        raise ArtifactMismatchError(
            f"{name} was made for {made_for.id} with embeddings of size {made_for.embedding_size}; this model's "
            f"have {here.embedding_size}. Fit one for this model."
        )
    if (made_for.embedding_sha256, made_for.tokenizer_sha256) != (here.embedding_sha256, here.tokenizer_sha256):
        warnings.warn(
            f"{name} was fitted on {made_for.id}, but here embeddings or vocabulary differ. {harm}",
            ArtifactWarning,
            stacklevel=stacklevel,
        )
