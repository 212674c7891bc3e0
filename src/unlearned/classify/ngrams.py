"""Hashed character n-grams: how a text is spelt, whatever stands between its letters.

Sentence vectors know what a text is about, but blur names; spelling tells names apart. The n-grams run over letters and
digits only, so that spaces, hyphens, quotes and other marks between them change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.words import squash

SIZES = (3, 4, 5)
BITS = 22  # 4 million buckets: a scope's hundred thousand n-grams hardly ever share one
BATCH = 2**18
"""Characters of the texts that are worked on at once."""

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
        counts = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], np.cumsum(counts)])
        places = np.repeat(self.starts[chosen] - starts[:-1], counts) + np.arange(starts[-1])
        return NGrams(self.ids[places], starts)


def ngrams(texts: Sequence[str]) -> NGrams:
    """N texts -> their n-grams. A text without letters or digits has none."""
    return _joined([_of_batch(batch) for batch in _batches([squash(text) for text in texts])])


def _joined(parts: Sequence[NGrams]) -> NGrams:
    ids = [np.zeros(0, dtype=np.int64), *(part.ids for part in parts)]
    counts = [np.zeros(1, dtype=np.int64), *(np.diff(part.starts) for part in parts)]
    return NGrams(np.concatenate(ids), np.cumsum(np.concatenate(counts)))


def _batches(texts: list[str]) -> Iterator[list[str]]:
    """Runs of texts of about `BATCH` characters, so that memory does not grow with their number."""
    first, characters = 0, 0
    for number, text in enumerate(texts):
        characters += len(text)
        if characters >= BATCH:
            yield texts[first : number + 1]
            first, characters = number + 1, 0
    if first < len(texts):
        yield texts[first:]


def _of_batch(texts: list[str]) -> NGrams:
    """All texts in one go: they stand in one row, and what reaches over the end of a text is left out."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(codes))  # characters to the end of the text
    keys = []
    for size in SIZES:
        count = max(0, len(codes) - size + 1)
        value = np.full(count, size, dtype=np.uint64)
        for position in range(size):  # unsigned arithmetic wraps around: that is the hash
            value = (value ^ codes[position : position + count]) * _MULTIPLIERS[position % 3]
            value ^= value >> np.uint64(29)
        within = left[:count] >= size
        keys.append(owners[:count][within] << BITS | (value[within] >> np.uint64(64 - BITS)).astype(np.int64))
    distinct = np.unique(np.concatenate(keys))
    starts = np.searchsorted(distinct, np.arange(len(texts) + 1) << BITS)
    return NGrams(distinct & ((1 << BITS) - 1), starts)
