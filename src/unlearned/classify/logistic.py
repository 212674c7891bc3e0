"""The cheap baseline: logistic regression on frozen sentence embeddings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, TextEncoder, config_of
from unlearned.classify.similarity import similarities
from unlearned.errors import ConfigError
from unlearned.extras import require

MOST_ITERATIONS = 1_000  # of lbfgs; on unit vectors it needs some tens


@dataclass(frozen=True, kw_only=True, slots=True)
class LogisticConfig:
    """How strongly the weights are held back."""

    C: float = 1.0
    """Inverse regularisation strength, as scikit-learn has it; larger = the examples are fitted more closely."""

    def __post_init__(self) -> None:
        if not 0 < self.C < math.inf:
            raise ConfigError(f"C={self.C}: must be positive and finite. Use, for example, 1.")


class LogisticClassifier:
    """p(forget | x) = sigmoid(w . x + b); both sides weigh the same in the fit, however many examples they have.

    Args:
        encoder: gives vectors of width D.
        weights: (D,) w.
        bias: (1,) b.
    """

    least_threshold: ClassVar[float] = 0.5

    def __init__(
        self, encoder: TextEncoder, weights: Floats, bias: Floats, config: LogisticConfig | None = None
    ) -> None:
        if weights.ndim != 1 or bias.shape != (1,):
            raise ConfigError(
                f"Weights and bias have the shapes {weights.shape} and {bias.shape}; (D,) and (1,) are needed."
            )
        self._encoder = encoder
        self.weights, self.bias = weights.astype(np.float32), bias.astype(np.float32)
        self.config = config or LogisticConfig()

    @classmethod
    def fit(
        cls, encoder: TextEncoder, forget: Features, negatives: Features, settings: Mapping[str, Any]
    ) -> LogisticClassifier:
        """Fit to the examples. Deterministic.

        Raises:
            ConfigError: one of the sides has no example, or a setting is out of range.
            MissingExtraError: scikit-learn is not installed.
        """
        config = config_of(LogisticConfig, settings)
        if not len(forget) or not len(negatives):
            raise ConfigError(
                f"A logistic classifier needs examples of both sides, and there are {len(forget)} forget and "
                f"{len(negatives)} other ones. Give at least one of each."
            )
        sklearn: Any = require("sklearn.linear_model", extra="logistic", purpose="The logistic classifier")
        model = sklearn.LogisticRegression(C=config.C, class_weight="balanced", max_iter=MOST_ITERATIONS)
        labels = np.r_[np.ones(len(forget), dtype=np.int64), np.zeros(len(negatives), dtype=np.int64)]
        model.fit(np.concatenate([forget.vectors, negatives.vectors]), labels)
        return cls(encoder, np.asarray(model.coef_[0]), np.asarray(model.intercept_), config)

    @property
    def encoder(self) -> TextEncoder:
        return self._encoder

    def predict_proba(self, features: Features) -> Floats:
        """Features of N texts -> (N,) p(forget | text)."""
        margin = similarities(features.vectors, self.weights[None])[:, 0] + self.bias
        return np.asarray(np.exp(-np.logaddexp(0.0, -margin)), dtype=np.float32)  # sigmoid that cannot overflow

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        return asdict(self.config), {"weights": self.weights, "bias": self.bias}

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> LogisticClassifier:
        return cls(encoder, arrays["weights"], arrays["bias"], config_of(LogisticConfig, settings))
