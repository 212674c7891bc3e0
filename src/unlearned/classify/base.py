"""The interface of prompt classifiers, and what a detector needs to know of a forget scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from unlearned.registry import Registry

Floats = npt.NDArray[np.float32]


class TextEncoder(Protocol):
    """Texts to feature vectors. Classifiers that share one encoder object share one pass over the texts."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, D) float32; for sentence encoders of unit length."""
        ...


class PromptClassifier(Protocol):
    """p(forget | text). One per forget scope."""

    @property
    def encoder(self) -> TextEncoder: ...

    def score(self, features: Floats) -> Floats:
        """(N, D) features of N texts -> (N,) float32 in [0, 1], p(forget | text)."""
        ...

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """N texts -> (N,) p(forget | text); `score` of the encoder's features."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """JSON settings and arrays, from which `from_state` makes an equal classifier."""
        ...

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> PromptClassifier: ...


class Scope(Protocol):
    """What detection needs of a forget scope."""

    @property
    def name(self) -> str: ...

    @property
    def classifier(self) -> PromptClassifier: ...

    @property
    def threshold(self) -> float:
        """A window is in scope iff p(forget | window) >= threshold."""
        ...


classifiers: Registry[type[PromptClassifier]] = Registry("prompt classifier")
classifiers.register("neighbours", "unlearned.classify.neighbours:NeighboursClassifier")
