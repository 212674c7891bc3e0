"""A text encoder that encodes no text twice: detection, fits and benchmarks look at the same windows again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unlearned.classify.base import Floats, ReadsWords, TextEncoder
from unlearned.classify.vector_cache import VectorCache


class CachedEncoder:
    """Gives the vectors of another encoder.

    Args:
        inner: the encoder that is asked for new texts.
        most: vectors that are kept; when more would be, all are dropped first. None = all.
        kept: vectors of earlier requests, where the encoder may use them.
    """

    def __init__(self, inner: TextEncoder, most: int | None = None, kept: VectorCache | None = None) -> None:
        self.inner = inner
        self.most = most
        self.kept = kept
        self.owners: dict[str, str] = {}
        """Text -> whose it is, for the kept ones."""

        self.known: dict[str, Floats] = {}

    @property
    def name(self) -> str:
        return self.inner.name

    def word_vectors(self, texts: Sequence[str]) -> Floats | None:
        """Word vectors as the inner encoder gives them; they cost too little to be kept."""
        return self.inner.word_vectors(texts) if isinstance(self.inner, ReadsWords) else None

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, D) as the inner encoder gives them."""
        if not texts:
            return self.inner.encode([])
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if self.most is not None and len(self.known) + len(new) > self.most:
            self.known.clear()
            new = list(dict.fromkeys(texts))
        if new:
            made = self.inner.encode(new) if self.kept is None else self.kept.encode(self.inner, new, self.owners)
            self.known |= dict(zip(new, made, strict=True))
        return np.stack([self.known[text] for text in texts])
