"""p(forget | x) of the kernel classifier: sets of real n-grams, dense float64 matrices, one pair of texts at a time."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def grams(text: str) -> set[str]:
    """Runs of 3 to 5 letters or digits, whatever stands between them."""
    plain = re.sub(r"[\W_]", "", unicodedata.normalize("NFKD", text).lower())
    return {plain[i : i + n] for n in (3, 4, 5) for i in range(len(plain) - n + 1)}


def probabilities(
    texts: Sequence[str],
    vectors: Matrix,
    forget: Sequence[str],
    forget_vectors: Matrix,
    negatives: Sequence[str],
    negative_vectors: Matrix,
    gamma: float = 2.0,
    local: float = 1.0,
    spelling: float = 2.0,
    ridge: float = 1.0,
    forget_weight: float = 10.0,
) -> list[float]:
    """Solve for the examples, then score the texts, each with its row of `vectors`."""
    examples = [grams(text) for text in [*forget, *negatives]]
    known = [np.asarray(vector, dtype=np.float64) for vector in [*forget_vectors, *negative_vectors]]
    idf = {
        gram: math.log((1 + len(examples)) / (1 + sum(gram in other for other in examples))) + 1
        for gram in set().union(*examples)
    }

    def kernel(own: set[str], vector: Matrix, other: set[str], other_vector: Matrix) -> float:
        cos = float(np.dot(vector, other_vector))
        # N-grams that no example has count for nothing, not even for the length of the vector.
        both = sum(idf[gram] ** 2 for gram in own & other if gram in idf)
        lengths = [math.sqrt(sum(idf[gram] ** 2 for gram in side if gram in idf)) for side in (own, other)]
        spelt = both / (lengths[0] * lengths[1]) if both else 0.0
        return math.exp(gamma * (cos - 1)) + local * math.exp(4 * gamma * (cos - 1)) + spelling * spelt

    count = len(examples)
    labels = np.array([1.0] * len(forget) + [0.0] * len(negatives))
    weight = min(forget_weight, max(1.0, len(negatives) / len(forget)))
    system = np.array(
        [[kernel(examples[i], known[i], examples[j], known[j]) for j in range(count)] for i in range(count)]
    )
    system += np.diag([ridge / (weight if label else 1.0) for label in labels])
    duals = np.linalg.solve(system, labels)
    found = []
    for text, vector in zip(texts, vectors, strict=True):
        f = sum(
            duals[i] * kernel(grams(text), np.asarray(vector, np.float64), examples[i], known[i]) for i in range(count)
        )
        found.append(1 / (1 + math.exp(-(f - 0.35) / 0.1)))
    return found
