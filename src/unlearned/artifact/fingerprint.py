"""Recognise a language model by its embeddings and vocabulary, in whatever precision it was loaded."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import torch

from unlearned.artifact.schema import BaseModelRecord
from unlearned.engines.injection import inner_model
from unlearned.engines.transformers import TransformersEngine, embedding_rows

SAMPLED_ROWS = 64


def base_model_record(engine: TransformersEngine) -> BaseModelRecord:
    """Identity and embedding scale of the engine's model."""
    rows = embedding_rows(engine.model)
    sample = np.linspace(0, rows - 1, num=min(rows, SAMPLED_ROWS)).astype(int).tolist()
    embeddings = engine.embed(sample)
    rounded = embeddings.to(torch.bfloat16).contiguous().view(torch.int16).numpy()
    vocabulary = json.dumps(sorted(engine.tokenizer.get_vocab().items()))
    config = inner_model(engine.model).config
    return BaseModelRecord(
        id=str(getattr(config, "_name_or_path", "") or "unknown"),
        embedding_size=embeddings.shape[1],
        embedding_std=_std(engine, rows),
        embedding_sha256=hashlib.sha256(rounded.astype("<i2").tobytes()).hexdigest(),
        tokenizer_sha256=hashlib.sha256(vocabulary.encode()).hexdigest(),
    )


def _std(engine: TransformersEngine, rows: int) -> float:
    """Standard deviation of the embedding module's output over up to 4,096 evenly spaced ids."""
    sample = np.linspace(0, rows - 1, num=min(rows, 4096)).astype(int).tolist()
    return float(engine.embed(sample).float().std())
