"""The first pass of the kernel classifier: which texts could be in scope, told without running the encoder.

The encoder is nearly all that detection costs, and nearly every window of a long prompt is about something else. What
the encoder knows of single words, and how a text is spelt, is enough to see that; only what is left is read by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Floats
from unlearned.classify.ngrams import NGrams
from unlearned.classify.similarity import similarities
from unlearned.classify.spelling import Ints, product
from unlearned.errors import ConfigError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SPELLING = 2.0
"""Weight of the n-grams beside the words."""

ACCURACY, MOST_STEPS = 1e-5, 1_000
"""Where conjugate gradients stop: relative residual, and steps; some hundred are needed."""


@dataclass(frozen=True, eq=False)
class FirstPass:
    """Ridge regression: g(x) = w . u + v . t, in the units of the kernel classifier's f.

    u is the mean of the text's word vectors, less that of all examples, at unit length; t are the idf weighted n-grams
    at unit length. It is fitted to the classifier's own examples, labels and weights, and to packaged texts of machines
    (code, logs, data), of which there are none among the examples, as negatives.
    """

    mean: Floats
    """(D,) word vectors of all examples."""

    meaning: Floats
    """(D,) w"""

    spelling: Floats
    """(G,) v, for the classifier's n-grams."""

    bar: float = -np.inf
    """Texts below it are left out. Calibration sets it (`learn.first_bar`)."""

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.meaning) or not self.bar < np.inf:  # NaN would leave everything out
            raise ConfigError(
                f"A first pass with {len(self.mean)} means, {len(self.meaning)} weights and the bar {self.bar} cannot "
                "tell what could be in scope."
            )

    @classmethod
    def learn(
        cls,
        word_vectors: Sequence[Floats | None],
        spelling: csr_matrix,
        labels: Floats,
        ridge: npt.NDArray[np.float64],
    ) -> FirstPass | None:
        """Solve (U U^T + 2 T T^T + diag(ridge)) a = y without ever holding the matrix.

        Args:
            word_vectors: (N, D) of the examples, in parts.
            spelling: (N, G) T, their n-grams.
            labels: (N,) 1 for forget examples, else 0.
            ridge: (N,) regularisation over weight, per example.

        Returns:
            None where the encoder has no word vectors.
        """
        from scipy.sparse.linalg import LinearOperator, cg

        known = [own for own in word_vectors if own is not None]
        if len(known) < len(word_vectors):
            return None
        words = np.concatenate(known)
        mean = words.mean(axis=0, dtype=np.float32)
        units = _units(words, mean)

        def times(duals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            own: Floats = duals.ravel().astype(np.float32)
            both = similarities(units, (units.T @ own)[None])[:, 0] + SPELLING * (spelling @ (spelling.T @ own))
            return np.asarray(both + ridge * own, dtype=np.float64)

        operator = LinearOperator((len(labels), len(labels)), matvec=times, dtype=np.float64)
        duals = cg(operator, labels.astype(np.float64), rtol=ACCURACY, maxiter=MOST_STEPS)[0].astype(np.float32)
        return cls(mean, units.T @ duals, np.asarray(SPELLING * (spelling.T @ duals), dtype=np.float32))

    def values(self, words: Floats, found: NGrams, grams: Ints, idf: Floats) -> Floats:
        """(N,) g of N texts.

        Args:
            words: (N, D) word vectors.
            found: n-grams of the texts.
            grams: (G,) those of the classifier.
            idf: (G,) their inverse document frequencies.
        """
        meaning = similarities(_units(words, self.mean), self.meaning[None])[:, 0]
        return np.asarray(meaning + product(found, grams, idf, self.spelling))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What an artifact keeps of it."""
        own = {"mean": self.mean, "meaning": self.meaning, "spelling": self.spelling}
        return {f"first_{name}": array for name, array in own.items()} | {
            "first_bar": np.array([self.bar], dtype=np.float32)
        }

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> FirstPass | None:
        """Make the first pass from `arrays`; None without them: artifacts of older versions have none."""
        if "first_bar" not in arrays:
            return None
        own = {name: arrays[f"first_{name}"].astype(np.float32) for name in ("mean", "meaning", "spelling")}
        return cls(**own, bar=float(arrays["first_bar"][0]))


def _units(words: Floats, mean: Floats) -> Floats:
    """(N, D) less the mean, at unit length; a text without words, which has 0, is like no other."""
    units = np.where(words.any(axis=1, keepdims=True), words - mean, np.float32(0.0))
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    return np.asarray(units / np.maximum(lengths, np.float32(1e-9)), dtype=np.float32)
