"""What a forward keeps of the tokens it has read, by whichever name: releases of transformers call it differently.

The one place that knows these names. Older releases say `past_key_values`, and `cache_params` for models of states;
newer ones say `cache`, and models that bring code of their own go on saying what they said.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache as remembered
from typing import Any

from torch import nn

NAMES = ("cache", "past_key_values", "cache_params")
"""Newest first: where a release takes an older name as well, it warns."""


def cache_name(inner: nn.Module) -> str | None:
    """What this model's `forward` calls the cache that it takes; None if it names none.

    Args:
        inner: the model itself, without a PEFT wrapper (`inner_model`).
    """
    return _named(type(inner).forward)


@remembered
def _named(forward: Callable[..., Any]) -> str | None:
    parameters = inspect.signature(forward).parameters
    return next((name for name in NAMES if name in parameters), None)


def returned_cache(output: Any) -> Any:
    """The cache in what a forward returned, None if there is none."""
    if isinstance(output, Mapping):  # every output of transformers; asking for an older name by attribute may warn
        return next((output[name] for name in output if name in NAMES), None)
    return next((value for name in NAMES if (value := getattr(output, name, None)) is not None), None)


def given_cache(arguments: Mapping[str, Any]) -> Any:
    """The cache among the keyword arguments of a forward, None if there is none.

    Found by its names, and where a release has thought of yet another one, by being a cache.
    """
    found = next((value for name in NAMES if (value := arguments.get(name)) is not None), None)
    return found if found is not None else next(filter(is_cache, arguments.values()), None)


def is_cache(value: Any) -> bool:
    """Whether this is a cache of transformers, whatever it is called."""
    return callable(getattr(value, "get_seq_length", None))


def cached_tokens(cache: Any) -> int | None:
    """How many tokens a cache holds; None where it cannot tell (states hold no tokens)."""
    try:
        return int(cache.get_seq_length())
    except (AttributeError, TypeError, ValueError, NotImplementedError, IndexError, KeyError):
        return None
