"""What a scope does not mean, such as another person of the same name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.similarity import Floats, similarities

MARGIN = 0.1
"""Cosine. A text that is so much less near to an example than to the nearest forget example is still exempt."""

NAMESAKE_MARGIN = 0.25
"""Margin without the names that both share. Prompts about invented namesakes of authors of TOFU's retain split lie
below 0.2, held-out questions about the authors above 0.3."""

NOTHING = 1e-3
"""Product of two lengths that rounding alone may leave: vectors are kept in float16."""

ALONG = 0.3
"""Cosine of a text and the names, from which it is taken to be about somebody of that name."""

LEAST_REST = 0.6
"""Length of a unit vector without those names, from which a text says more than them: "Who is Anna Berg?" has 0.3 to
0.5, a question about a namesake 0.65 and more."""


@dataclass(frozen=True, eq=False)
class Exemptions:
    """Examples of what a scope does not mean ("not this one"). They win over its classifier.

    A shared name alone brings a text near to both sides, and it may be nearly all that a short text says. So texts
    about somebody of that name are compared by what they say besides: their vectors without the direction of the name.
    """

    examples: Floats
    """(E, D) unit vectors of the examples."""

    forget: Floats
    """(F, D) unit vectors of the forget examples."""

    names: Floats
    """(E, D) unit vectors of the names that an example shares with forget examples; zeros where there are none."""

    def cover(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """(N, D) unit vectors -> (N,) bool: about as near to one of the examples as to any forget example."""
        return self.covering(vectors) >= 0

    def covering(self, vectors: Floats) -> npt.NDArray[np.int64]:
        """(N, D) unit vectors -> (N,) index of the first example that covers each; -1 = none does."""
        to_examples, to_forget = similarities(vectors, self.examples), similarities(vectors, self.forget)
        covering = np.full(len(vectors), -1, dtype=np.int64)
        for e, name in enumerate(self.names):
            along = similarities(np.concatenate([vectors, self.forget]), name[None])[:, 0]
            texts, forget = _Side.of(vectors, along[: len(vectors)]), _Side.of(self.forget, along[len(vectors) :])
            example = _Side.of(self.examples[e : e + 1], similarities(self.examples[e : e + 1], name[None])[:, 0])
            besides = _cosines(to_examples[:, e : e + 1], texts, example)[:, 0]
            lead = besides - _cosines(to_forget, texts, forget).max(axis=1)
            is_namesake = (lead > -NAMESAKE_MARGIN) & (texts.rest >= LEAST_REST) & (example.rest >= LEAST_REST)
            is_like = to_examples[:, e] > to_forget.max(axis=1) - MARGIN
            covers = np.where(texts.along >= ALONG, is_namesake, is_like)
            covering = np.where(covers & (covering < 0), e, covering)
        return covering


@dataclass(frozen=True, eq=False)
class _Side:
    """N vectors and a direction: how far they go along it, and the length of what is left of them without it."""

    along: Floats
    rest: Floats

    @classmethod
    def of(cls, vectors: Floats, along: Floats) -> _Side:
        squares = np.square(vectors).sum(axis=1) - np.square(along)
        return cls(along, np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float32))


def _cosines(products: Floats, left: _Side, right: _Side) -> Floats:
    """(N, M) products of the vectors -> cosines of what is left of them; 0 where that is next to nothing."""
    lengths = np.outer(left.rest, right.rest)
    rest = products - np.outer(left.along, right.along)
    return np.asarray(np.where(lengths > NOTHING, rest / np.maximum(lengths, NOTHING), 0.0), dtype=np.float32)
