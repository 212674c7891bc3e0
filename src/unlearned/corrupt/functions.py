"""Corruption functions: pure, on the selected vectors of one prompt. They cannot touch what was not selected.

A new one is a function `(vectors, *, ...) -> vectors` in a file of its own and one line at the end of this one. Its
keyword arguments say what it takes: `sigma`, `dims`, `generator`; any other name is an array stored in the artifact.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from unlearned.corrupt.fixed import (
    add_value_first_n,
    add_value_least_k,
    flip_sign_first_n,
    flip_sign_top_k,
    sub_value_first_n,
    sub_value_top_k,
    zero_out_first_n,
    zero_out_top_k,
)
from unlearned.corrupt.noise import (
    entity_substitution,
    rand_noise_first_n,
    rand_noise_rand_n,
    rand_noise_top_k,
    set_rand_noise_first_n,
)
from unlearned.corrupt.order import reverse_order, shuffle
from unlearned.corrupt.substitutes import adversarial, check_bank, check_direction, semantic
from unlearned.registry import Registry

SUBSTITUTION = "entity_substitution"
"""The corruption that leaves a question as it is, about somebody else (`unlearned.substitution`)."""


@dataclass(frozen=True, slots=True)
class CorruptionFunction:
    """A function and what it takes."""

    function: Callable[..., Tensor]

    relative: bool = True
    """sigma is a size, comparable over models in multiples of `embedding_std`. False: a share, 0..1."""

    substitutes: bool = False
    """Words that identify the subject are replaced by a stranger's before; the function disturbs the other tokens."""

    check: Callable[..., None] | None = None
    """Takes the stored arrays by name; raises `ConfigError` for what the function cannot use."""

    parameters: tuple[str, ...] = field(init=False)
    """Names of the arguments after the vectors."""

    def __post_init__(self) -> None:
        _, *names = inspect.signature(self.function).parameters
        object.__setattr__(self, "parameters", tuple(names))

    @property
    def takes_sigma(self) -> bool:
        return "sigma" in self.parameters

    @property
    def takes_dims(self) -> bool:
        return "dims" in self.parameters

    @property
    def takes_generator(self) -> bool:
        return "generator" in self.parameters

    @property
    def stored(self) -> tuple[str, ...]:
        """Names of the arrays it needs from the artifact."""
        return tuple(name for name in self.parameters if name not in ("sigma", "dims", "generator"))

    @property
    def parameter(self) -> Literal["sigma", "dims"] | None:
        """What is learned."""
        if self.takes_sigma:
            return "sigma"
        return "dims" if self.takes_dims else None


corruptions: Registry[CorruptionFunction] = Registry("corruption")
corruptions.register(SUBSTITUTION, CorruptionFunction(entity_substitution, substitutes=True))
corruptions.register("rand_noise_first_n", CorruptionFunction(rand_noise_first_n))
corruptions.register("rand_noise_rand_n", CorruptionFunction(rand_noise_rand_n))
corruptions.register("rand_noise_top_k", CorruptionFunction(rand_noise_top_k))
corruptions.register("set_rand_noise_first_n", CorruptionFunction(set_rand_noise_first_n))
corruptions.register("zero_out_first_n", CorruptionFunction(zero_out_first_n))
corruptions.register("zero_out_top_k", CorruptionFunction(zero_out_top_k))
corruptions.register("flip_sign_first_n", CorruptionFunction(flip_sign_first_n))
corruptions.register("flip_sign_top_k", CorruptionFunction(flip_sign_top_k))
corruptions.register("add_value_first_n", CorruptionFunction(add_value_first_n))
corruptions.register("sub_value_first_n", CorruptionFunction(sub_value_first_n))
corruptions.register("add_value_least_k", CorruptionFunction(add_value_least_k))
corruptions.register("sub_value_top_k", CorruptionFunction(sub_value_top_k))
corruptions.register("shuffle", CorruptionFunction(shuffle))
corruptions.register("reverse_order", CorruptionFunction(reverse_order))
corruptions.register("semantic", CorruptionFunction(semantic, relative=False, check=check_bank))
corruptions.register("adversarial", CorruptionFunction(adversarial, check=check_direction))
