"""The default classifier: is a text nearer to a forget example than to anything else we know?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Floats, TextEncoder
from unlearned.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class NeighboursConfig:
    """How similarities become a probability."""

    temperature: float = 0.05
    """Similarity difference that multiplies the odds by e."""

    floor: float = 0.5
    """Cosine similarity of an imagined negative that is always there: a text that resembles nothing passes."""

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"temperature={self.temperature}: must be positive. Use, for example, 0.05.")
        if not -1 <= self.floor <= 1:
            raise ConfigError(f"floor={self.floor}: a cosine similarity lies in -1..1. Use, for example, 0.5.")


class NeighboursClassifier:
    """p(forget | x) = sigmoid((max_f cos(x, f) - max(max_n cos(x, n), floor)) / temperature).

    Nothing is trained: examples are added and removed by adding and removing rows.

    Args:
        encoder: gives unit vectors.
        forget: (F, D) vectors of the forget prompts, at least one.
        negatives: (N, D) vectors of retain and background prompts.
    """

    def __init__(
        self, encoder: TextEncoder, forget: Floats, negatives: Floats, config: NeighboursConfig | None = None
    ) -> None:
        if len(forget) == 0:
            raise ConfigError("A neighbours classifier needs at least one forget example.")
        if forget.ndim != 2 or negatives.ndim != 2 or forget.shape[1] != negatives.shape[1]:
            raise ConfigError(
                f"The examples' vectors have the shapes {forget.shape} and {negatives.shape}; one encoder gives (N, D)."
            )
        self._encoder = encoder
        self.forget = _as_stored(forget)
        self.negatives = _as_stored(negatives)
        self.config = config or NeighboursConfig()

    @property
    def encoder(self) -> TextEncoder:
        return self._encoder

    def score(self, features: Floats) -> Floats:
        """(N, D) unit vectors -> (N,) p(forget | text)."""
        return self._probability(_nearest(features @ self.forget.T), _nearest(features @ self.negatives.T))

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """N texts -> (N,) p(forget | text)."""
        return self.score(self._encoder.encode(texts))

    def leave_one_out(self) -> tuple[Floats, Floats]:
        """(F,) and (N,) scores of the own examples, each as if it had not been enrolled: unbiased for calibration."""
        own = self.forget @ self.forget.T
        np.fill_diagonal(own, -1.0)
        forget = self._probability(_nearest(own), _nearest(self.forget @ self.negatives.T))
        others = self.negatives @ self.negatives.T
        np.fill_diagonal(others, -1.0)
        negatives = self._probability(_nearest(self.negatives @ self.forget.T), _nearest(others))
        return forget, negatives

    def _probability(self, forget: Floats, negative: Floats) -> Floats:
        margin = (forget - np.maximum(negative, self.config.floor)) / self.config.temperature
        return np.asarray(np.exp(-np.logaddexp(0.0, -margin)), dtype=np.float32)  # sigmoid that cannot overflow

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        arrays = {"forget": self.forget.astype(np.float16), "negatives": self.negatives.astype(np.float16)}
        return asdict(self.config), arrays

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> NeighboursClassifier:
        return cls(encoder, arrays["forget"], arrays["negatives"], NeighboursConfig(**settings))


def _as_stored(vectors: Floats) -> Floats:
    # float16 halves the artifact; unit vectors lose 3e-4 of a cosine at most. Rounded here and not when it is saved, so
    # that the threshold is calibrated on the scores that a loaded artifact will give.
    return vectors.astype(np.float16).astype(np.float32)


def _nearest(similarities: Floats) -> Floats:
    """(N, M) -> (N,) the largest per row; -1 where there is nothing to compare with."""
    if similarities.shape[1] == 0:
        return np.full(len(similarities), -1.0, dtype=np.float32)
    return np.asarray(similarities.max(axis=1), dtype=np.float32)
