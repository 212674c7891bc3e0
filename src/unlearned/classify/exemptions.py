"""What a scope does not mean, such as another person of the same name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.products import Floats, similarities

MARGIN = 0.1
"""Cosine. A text that is so much less near to an example than to the nearest forget example is still exempt."""

NAMESAKE_MARGIN = 0.25
"""The same without the names that both share. Prompts about invented namesakes of authors of TOFU's retain split lie
below 0.2, held-out questions about the authors above 0.3."""

LEAST_REST = 0.6
"""Length of a text's unit vector without those names, from which it says more than them: "Who is Anna Berg?" has 0.3 to
0.5, a question about a namesake 0.65 and more."""


@dataclass(frozen=True, eq=False)
class Exemptions:
    """Examples of what a scope does not mean ("not this one"). They win over its classifier.

    A shared name alone brings a text near to both sides, and it may be nearly all that a short text says. So texts are
    compared by what they say besides: their vectors without the direction of the name.
    """

    examples: Floats
    """(E, D) unit vectors of the examples."""

    forget: Floats
    """(F, D) unit vectors of the forget examples."""

    names: Floats
    """(E, D) unit vectors of the names that an example shares with forget examples; zeros where there are none."""

    def cover(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """(N, D) unit vectors -> (N,) bool: about as near to one of the examples as to any forget example."""
        covered = np.zeros(len(vectors), dtype=np.bool_)
        for example, name in zip(self.examples, self.names, strict=True):
            margin = NAMESAKE_MARGIN if name.any() else MARGIN
            to_example = _cosines(vectors, example[None], name)[:, 0]
            to_forget = _cosines(vectors, self.forget, name).max(axis=1)
            covered |= (to_example > to_forget - margin) & (_rest(vectors, name) >= LEAST_REST)
        return covered


def _cosines(left: Floats, right: Floats, name: Floats) -> Floats:
    """(N, D), (M, D) -> (N, M) cosines of what they are without the direction of the name."""
    along = [similarities(vectors, name[None])[:, 0] for vectors in (left, right)]
    products = similarities(left, right) - np.outer(*along)
    lengths = [np.maximum(_rest(vectors, name), 1e-6) for vectors in (left, right)]
    return np.asarray(products / np.outer(*lengths), dtype=np.float32)


def _rest(vectors: Floats, name: Floats) -> Floats:
    """(N, D) -> (N,) their lengths without the direction of the name."""
    along = similarities(vectors, name[None])[:, 0]
    return np.asarray(np.sqrt(np.maximum(np.square(vectors).sum(axis=1) - np.square(along), 0.0)), dtype=np.float32)
