"""Hashed character n-grams: how a text is spelt, whatever stands between its letters.

Sentence vectors know what a text is about, but blur names; spelling tells names apart. The n-grams run over letters and
digits only, so that spaces, hyphens, quotes and other marks between them change nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIZES = (3, 4, 5)
BITS = 22  # 4 million buckets: a scope's hundred thousand n-grams hardly ever share one
_MULTIPLIERS = tuple(np.uint64(m) for m in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


@dataclass(frozen=True, eq=False)
class NGrams:
    """The set of n-grams of each of N texts, in compressed rows."""

    ids: npt.NDArray[np.int64]
    """(M,) hashed n-grams, without duplicates within a text."""

    starts: npt.NDArray[np.int64]
    """(N + 1,) text i owns `ids[starts[i]:starts[i + 1]]`."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """(M,) the text of each id."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def take(self, chosen: npt.NDArray[np.int64]) -> NGrams:
        """The texts with these indices."""
        parts = [self.ids[self.starts[i] : self.starts[i + 1]] for i in chosen]
        return _joined(parts)


def ngrams(texts: Sequence[str]) -> NGrams:
    """N texts -> their n-grams. A text without letters or digits has none."""
    return _joined([_ids(text) for text in texts])


def squash(text: str) -> str:
    """Lower-case letters and digits only, without accents."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return "".join(character for character in text.lower() if character.isalnum())


def _joined(parts: list[npt.NDArray[np.int64]]) -> NGrams:
    starts = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=starts[1:])
    return NGrams(np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64), starts)


def _ids(text: str) -> npt.NDArray[np.int64]:
    codes = np.frombuffer(squash(text).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    hashes = []
    for size in SIZES:
        if len(codes) < size:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(codes, size)
        value = np.full(len(windows), size, dtype=np.uint64)
        for position in range(size):  # unsigned arithmetic wraps around: that is the hash
            value = (value ^ windows[:, position]) * _MULTIPLIERS[position % 3]
            value ^= value >> np.uint64(29)
        hashes.append(value >> np.uint64(64 - BITS))
    return np.unique(np.concatenate(hashes)).astype(np.int64) if hashes else np.zeros(0, dtype=np.int64)
