"""Named entities inside the flagged spans: the paper's choice for TOFU.

Source: arXiv:2406.07933, appendix; a token-classification model tags the text, and by character offsets every token of
the language model that overlaps a tagged word is selected.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearned.errors import ModelLoadError
from unlearned.select.positions import Bools, SelectingScope, all_but_last
from unlearned.types import Prompt, Span

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MODEL = "dslim/bert-base-NER"
VARIABLE = "UNLEARNED_NER_MODEL"
"""Environment variable with another token-classification model: hub id or folder."""


def entities(prompt: Prompt, span: Span, scope: SelectingScope) -> Bools:
    """The tokens of the span that overlap a named entity of any type; without one, all but the message's last token.

    Raises:
        ModelLoadError: there is no such model here.
    """
    name = os.environ.get(VARIABLE, MODEL)
    mask = np.zeros(len(prompt.token_ids), dtype=np.bool_)
    for start, end in tagged(prompt.text[span.start : span.end], name):
        mask |= prompt.tokens_overlapping(span.start + start, span.start + end)
    mask &= prompt.tokens_overlapping(span.start, span.end) & prompt.content_tokens()
    return mask if mask.any() else all_but_last(prompt, span, scope)


def tagged(text: str, name: str) -> list[tuple[int, int]]:
    """Characters `[start, end)` of every word piece with another tag than "O"; long texts in overlapping windows."""
    model, tokenizer, lock = _tagger(name)
    outside = {index for index, label in (model.config.id2label or {}).items() if label == "O"}
    limit = min(int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 512)))
    with lock, torch.inference_mode():
        encoded = tokenizer(
            text,
            return_offsets_mapping=True,
            return_overflowing_tokens=True,
            truncation=True,
            max_length=limit,
            stride=min(32, limit // 4),
            padding=True,
            return_tensors="pt",
        )
        offsets = encoded.pop("offset_mapping")
        encoded.pop("overflow_to_sample_mapping", None)
        tags = model(**encoded).logits.argmax(dim=-1)
    found = {
        (int(start), int(end))
        for row_tags, row_offsets in zip(tags, offsets, strict=True)
        for tag, (start, end) in zip(row_tags.tolist(), row_offsets.tolist(), strict=True)
        if start < end and tag not in outside
    }
    return sorted(found)


@lru_cache(maxsize=2)
def _tagger(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, threading.Lock]:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForTokenClassification.from_pretrained(name, use_safetensors=True).eval()
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelLoadError(
            f"Cannot load the entity tagger {name!r}: {reason} "
            f"Set {VARIABLE} to another one, or use the selector 'spans'."
        ) from error
    return model, tokenizer, threading.Lock()
