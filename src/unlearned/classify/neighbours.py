"""The classifier for scopes that change all the time: is a text nearer to a forget example than to anything else?

It knows no more than its examples, so it finds paraphrases of them rather than the scope; but an example counts, or no
longer counts, from one moment to the next, and there may be millions.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, TextEncoder, config_of
from unlearned.classify.index import Half, Ints, NearestIndex
from unlearned.errors import ConfigError

PROBED = 0.4
"""Share of an index that is read: a missed forget example would be a leak, a missed negative a false alarm."""

SAME = 2e-6
"""Difference of cosine similarities that may come from the order of a sum in float32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NeighboursConfig:
    """How similarities become a probability."""

    temperature: float = 0.05
    """Similarity difference that multiplies the odds by e."""

    floor: float = 0.5
    """Cosine similarity of an imagined negative that is always there: a text that resembles nothing passes."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
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

    Raises:
        ConfigError: there is no forget example, or the shapes do not fit.
        MissingExtraError: a side has more than `index.EXACT_ROWS` examples, and faiss is not installed.
    """

    least_threshold: ClassVar[float] = 0.5

    def __init__(
        self,
        encoder: TextEncoder,
        forget: Floats | Half,
        negatives: Floats | Half,
        config: NeighboursConfig | None = None,
    ) -> None:
        if len(forget) == 0:
            raise ConfigError("A neighbours classifier needs at least one forget example.")
        if forget.ndim != 2 or negatives.ndim != 2 or forget.shape[1] != negatives.shape[1]:
            raise ConfigError(
                f"The examples' vectors have the shapes {forget.shape} and {negatives.shape}; one encoder gives (N, D)."
            )
        self._encoder = encoder
        # Rounded to float16 here and not when they are saved (3e-4 of a cosine at most), so that the threshold is
        # calibrated on the scores that a loaded artifact will give.
        self._forget = NearestIndex(forget, probed=PROBED)
        self._negatives = NearestIndex(negatives, probed=PROBED)
        self.config = config or NeighboursConfig()

    @classmethod
    def fit(
        cls, encoder: TextEncoder, forget: Features, negatives: Features, settings: Mapping[str, Any]
    ) -> NeighboursClassifier:
        """Keep the examples' vectors.

        Raises:
            ConfigError: there is no forget example, or a setting is out of range.
            MissingExtraError: a side has more than `index.EXACT_ROWS` examples, and faiss is not installed.
        """
        return cls(encoder, forget.vectors, negatives.vectors, config_of(NeighboursConfig, settings))

    @property
    def encoder(self) -> TextEncoder:
        return self._encoder

    @property
    def forget(self) -> Half:
        """(F, D) the forget examples' vectors, in the order in which they came."""
        return self._forget.vectors

    @property
    def negatives(self) -> Half:
        """(N, D) the other examples' vectors, in the order in which they came."""
        return self._negatives.vectors

    def predict_proba(self, features: Features) -> Floats:
        """Features of N texts -> (N,) p(forget | text)."""
        forget, negative = self._forget.nearest(features.vectors), self._negatives.nearest(features.vectors)
        nearer = forget - np.maximum(negative, self.config.floor)
        nearer[np.abs(nearer) < SAME] = 0  # one example on both sides: the order of a sum must not decide
        margin = nearer / self.config.temperature
        return np.asarray(np.exp(-np.logaddexp(0.0, -margin)), dtype=np.float32)  # sigmoid that cannot overflow

    def add(self, forget: Features | None = None, negatives: Features | None = None) -> NeighboursClassifier:
        """A classifier with more examples, which come after the others; this one stays as it is.

        Raises:
            ConfigError: the features are not of this encoder's width.
            MissingExtraError: a side now has more than `index.EXACT_ROWS` examples, and faiss is not installed.
        """
        return self._with(
            self._forget if forget is None else self._forget.plus(forget.vectors),
            self._negatives if negatives is None else self._negatives.plus(negatives.vectors),
        )

    def without(
        self,
        forget: Sequence[int] | Ints | Floats | None = None,
        negatives: Sequence[int] | Ints | Floats | None = None,
    ) -> NeighboursClassifier:
        """A classifier with fewer examples; the others keep their order, and this one stays as it is.

        Args:
            forget: indices of forget examples, or (M, D) vectors: every example that has one of them is removed.
            negatives: the same of the other examples.

        Raises:
            ConfigError: an index or vector is that of no example, or no forget example would be left.
        """
        fewer = self._with(_fewer(self._forget, forget, "forget"), _fewer(self._negatives, negatives, "negatives"))
        if not len(fewer._forget):
            raise ConfigError("The last forget example cannot be removed. Remove the scope instead.")
        return fewer

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        return asdict(self.config), {"forget": self.forget, "negatives": self.negatives}

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> NeighboursClassifier:
        return cls(encoder, arrays["forget"], arrays["negatives"], config_of(NeighboursConfig, settings))

    def _with(self, forget: NearestIndex, negatives: NearestIndex) -> NeighboursClassifier:
        changed = copy.copy(self)
        changed._forget, changed._negatives = forget, negatives
        return changed


def _fewer(index: NearestIndex, chosen: Sequence[int] | Ints | Floats | None, side: str) -> NearestIndex:
    """`index` without the rows that `chosen` names by index or by vector."""
    if chosen is None or len(chosen) == 0:
        return index
    given = np.asarray(chosen)
    if given.ndim == 1 and np.issubdtype(given.dtype, np.integer):
        return index.minus(given.astype(np.int64))
    if given.ndim != 2 or not np.issubdtype(given.dtype, np.floating):
        raise ConfigError(f"{side}: give indices, or (M, D) vectors, and not {given.dtype} of shape {given.shape}.")
    places = index.places(given)
    if strange := [number for number, rows in enumerate(places) if not len(rows)]:
        raise ConfigError(f"{side}: {len(strange)} of the vectors are of no example, the first at index {strange[0]}.")
    return index.minus(np.concatenate(places))
