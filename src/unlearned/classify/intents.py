"""What the prompts of a scope ask about, apart from whom they name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.similarity import Floats, similarities


@dataclass(frozen=True, eq=False)
class Intents:
    """Tells a question about the scope from one that only follows it.

    "My sister recommended Anna Berg." - "Where was she born?" is in scope, "What flowers should I buy her?" is not.
    Both refer to the sentence that names her, and no rule of grammar says to whom in it; but only one of them asks what
    forget prompts ask.
    """

    vectors: Floats
    """(M, D) vectors of forget prompts without the names in them, of unit length; and of questions that may be asked
    about anybody, shorter, so that a text has to be nearer to them."""

    least: float
    """Cosine from which a question resembles one of them."""

    def hold(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """(N, D) unit vectors of questions that name nobody -> (N,) bool: whether they ask such a thing."""
        return np.asarray(similarities(vectors, self.vectors).max(axis=1) >= self.least)
