"""A corruption function with its settings, and the key that makes its noise repeatable."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

from unlearned.corrupt.functions import corruptions
from unlearned.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Corruption:
    """What one scope does to the embeddings of its tokens."""

    function: str = "rand_noise_first_n"
    """Name of a registered corruption function."""

    strength: float | None = None
    """sigma, in `unit`; None for functions that have none."""

    unit: Literal["embedding_std", "absolute"] = "embedding_std"
    """`embedding_std`: multiples of the standard deviation of the embedding module's output, comparable over models."""

    embedding_std: float = 1.0
    """That standard deviation, measured when the strength was learned, so that every engine applies the same noise."""

    dims: int | None = None
    """How many coordinates; None = all of them."""

    def __post_init__(self) -> None:
        takes_sigma = corruptions.get(self.function).takes_sigma
        if takes_sigma and (self.strength is None or not 0 <= self.strength < float("inf")):
            raise ConfigError(f"{self.function} needs a strength of at least 0, not {self.strength}.")
        if not takes_sigma and self.strength is not None:
            raise ConfigError(f"{self.function} has no strength; its parameter is `dims`. Leave the strength out.")
        if self.dims is not None and self.dims < 0:
            raise ConfigError(f"dims={self.dims}: must be at least 0, or None for all.")
        if not 0 < self.embedding_std < float("inf"):
            raise ConfigError(f"embedding_std={self.embedding_std}: must be positive and finite.")
        if self.unit not in ("embedding_std", "absolute"):
            raise ConfigError(f"unit={self.unit!r}: must be 'embedding_std' or 'absolute'.")

    @property
    def sigma(self) -> float | None:
        """The strength in the units of the embedding entries."""
        if self.strength is None:
            return None
        return self.strength * (self.embedding_std if self.unit == "embedding_std" else 1.0)

    def apply(self, vectors: Tensor, generator: np.random.Generator) -> Tensor:
        """(N, D) vectors of one span -> (N, D) corrupted ones; the argument is not written to."""
        part = corruptions.get(self.function)
        arguments: dict[str, Any] = {"dims": vectors.shape[1] if self.dims is None else self.dims}
        if part.takes_sigma:
            arguments["sigma"] = self.sigma
        if part.takes_generator:
            arguments["generator"] = generator
        return part.function(vectors, **arguments)


def keyed_generator(secret: bytes, scope: str, token_ids: Sequence[int]) -> np.random.Generator:
    """Randomness that is the same whenever these words meet this artifact, and unpredictable without its secret.

    numpy's Philox takes the whole 128-bit key; torch's CPU generator would keep 32 bits of it, and its normal numbers
    depend on how many are drawn and on the processor.
    """
    message = scope.encode() + b"\0" + np.asarray(token_ids, dtype="<u4").tobytes()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
