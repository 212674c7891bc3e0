"""A corruption function with its settings, and the key that makes its noise repeatable."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from unlearned.corrupt.functions import corruptions
from unlearned.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Corruption:
    """What one scope does to the embeddings of its tokens."""

    function: str = "rand_noise_first_n"
    """Name of a registered corruption function."""

    strength: float | None = None
    """sigma, in `unit` (a share in 0..1 has none); None for functions without sigma."""

    unit: Literal["embedding_std", "absolute"] = "embedding_std"
    """`embedding_std`: multiples of the standard deviation of the embedding module's output, comparable over models."""

    embedding_std: float = 1.0
    """Standard deviation of the embeddings, measured when the strength was learned: every engine adds equal noise."""

    dims: int | None = None
    """How many coordinates; None = all of them."""

    stored: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict, compare=False, repr=False)
    """The arrays that the function needs, by name; learned with the strength."""

    def __post_init__(self) -> None:
        self._check_strength()
        if self.dims is not None and self.dims < 0:
            raise ConfigError(f"dims={self.dims}: must be at least 0, or None for all.")
        if not 0 < self.embedding_std < float("inf"):
            raise ConfigError(f"embedding_std={self.embedding_std}: must be positive and finite.")
        if self.unit not in ("embedding_std", "absolute"):
            raise ConfigError(f"unit={self.unit!r}: must be 'embedding_std' or 'absolute'.")
        self._check_stored()

    def _check_strength(self) -> None:
        part = corruptions.get(self.function)
        if part.parameter is None and (self.strength, self.dims) != (None, None):
            raise ConfigError(f"{self.function} has no parameter. Leave strength and dims out.")
        if not part.takes_sigma and self.strength is not None:
            raise ConfigError(f"{self.function} has no strength; its parameter is `dims`. Leave the strength out.")
        if not part.takes_dims and self.dims is not None:
            raise ConfigError(f"{self.function} always changes all coordinates. Leave dims={self.dims} out.")
        if part.takes_sigma and (self.strength is None or not 0 <= self.strength < float("inf")):
            raise ConfigError(f"{self.function} needs a strength of at least 0, not {self.strength}.")
        if self.strength is not None and not part.relative and self.strength > 1:
            raise ConfigError(f"{self.function} needs a strength of at most 1, a share, not {self.strength}.")

    def _check_stored(self) -> None:
        part = corruptions.get(self.function)
        if missing := set(part.stored) - set(self.stored):
            raise ConfigError(
                f"{self.function} needs the stored array {', '.join(sorted(missing))}: "
                f"learn it with `unlearned fit --corruption {self.function}`."
            )
        if extra := set(self.stored) - set(part.stored):
            raise ConfigError(f"{self.function} uses no stored array {', '.join(sorted(extra))}. Leave it out.")
        for name, array in self.stored.items():
            if not np.isfinite(array).all():
                raise ConfigError(f"The stored array {name} of {self.function} holds NaN or infinite values.")
        if part.check is not None:
            part.check(**self.stored)

    @property
    def substitutes(self) -> bool:
        """Strangers stand for the words that identify the subject."""
        return corruptions.get(self.function).substitutes

    def at_least(self, stds: float) -> Corruption:
        """This corruption with a strength of at least so many standard deviations of the embeddings."""
        least = stds * (1.0 if self.unit == "embedding_std" else self.embedding_std)
        return self if (self.strength or 0.0) >= least else replace(self, strength=least)

    @property
    def sigma(self) -> float | None:
        """The strength as the function takes it: in the units of the embedding entries, or a bare share."""
        if self.strength is None:
            return None
        in_std = self.unit == "embedding_std" and corruptions.get(self.function).relative
        return self.strength * (self.embedding_std if in_std else 1.0)

    def apply(self, vectors: Tensor, generator: np.random.Generator) -> Tensor:
        """(N, D) vectors of one span -> (N, D) corrupted ones; the argument is not written to."""
        part = corruptions.get(self.function)
        available: dict[str, Any] = {
            "sigma": self.sigma,
            "dims": vectors.shape[-1] if self.dims is None else self.dims,
            "generator": generator,
            **self.stored,
        }
        return part.function(vectors, **{name: available[name] for name in part.parameters})


def keyed_generator(secret: bytes, scope: str, token_ids: Sequence[int]) -> np.random.Generator:
    """Randomness that is the same whenever these words meet this artifact, and unpredictable without its secret.

    numpy's Philox takes the whole 128-bit key; torch's CPU generator would keep 32 bits of it, and its normal numbers
    depend on how many are drawn and on the processor.
    """
    message = scope.encode() + b"\0" + np.asarray(token_ids, dtype="<u4").tobytes()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
