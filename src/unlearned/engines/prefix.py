"""The tokens that all prompts of a call begin with (a chat template's system turn, say), run through the model once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from unlearned.engines.caches import cache_name, returned_cache
from unlearned.engines.injection import inner_model
from unlearned.types import PromptInput

WORTH_IT = 8
"""Tokens; a shorter prefix saves less than the copies of its cache cost."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedPrefix:
    """The attention cache of some leading tokens."""

    length: int
    cache: Any
    """A `DynamicCache` of one row."""

    name: str
    """Name of the argument by which the model takes it."""

    def arguments(self, rows: int) -> dict[str, Any]:
        """What makes a forward of so many rows go on from here; a copy, because a forward pass adds to its cache."""
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(rows)
        return {self.name: cache, "use_cache": True}


def shared_prefix(model: Any, inputs: Sequence[PromptInput]) -> SharedPrefix | None:
    """What these prompts share before the first corrupted token of any, and before the last token of each.

    None where it is too short, or where the model keeps anything but plain attention caches (states, sliding windows):
    those cannot be taken up at will.
    """
    length = _common([prompt.token_ids for prompt in inputs])
    for prompt in inputs:
        length = min(length, len(prompt.token_ids) - 1)
        if prompt.positions is not None and len(prompt.positions):
            length = min(length, int(prompt.positions[0]))
    name = cache_name(inner_model(model))
    if length < WORTH_IT or len(inputs) < 2 or name is None:
        return None
    ids = torch.tensor([list(inputs[0].token_ids[:length])], device=model.device)
    try:
        cache = returned_cache(model(input_ids=ids, use_cache=True, logits_to_keep=1))
    except TypeError:  # a model that cannot leave logits out
        return None
    return SharedPrefix(length, cache, name) if is_plain(cache, length) else None


def is_plain(cache: Any, length: int) -> bool:
    """Whether these are attention caches of so many tokens and nothing else, whose rows can be chosen at will."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    return (
        type(cache) is DynamicCache
        and len(cache.layers) > 0
        and all(type(layer) is DynamicLayer and layer.get_seq_length() == length for layer in cache.layers)
    )


def _common(rows: Sequence[tuple[int, ...]]) -> int:
    """How many leading ids all rows share."""
    if not rows:
        return 0
    low, high = min(rows), max(rows)  # rows between these two share what the two share
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
