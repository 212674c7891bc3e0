"""An encoder for first passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unlearned.classify.base import Floats


class WithWords:
    """An encoder that can tell what words mean without each other."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name

    def encode(self, texts: Sequence[str]) -> Floats:
        found: Floats = self.inner.encode(texts)
        return found

    def word_vectors(self, texts: Sequence[str]) -> Floats:
        return self.encode(texts)
