"""Which runs of words a scope's text has: a Bloom filter, from which the text cannot be read.

Source: MemFree decoding, Ippolito et al. 2022, arXiv:2210.17546.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unlearned.answers.folding import IGNORED, LETTERS, sign
from unlearned.errors import ConfigError

BOUND = 8
"""Words of a text that may be said in a row."""

FALSE_POSITIVES = 1e-6
"""Share of the runs of words that the filter finds although the text does not have them."""


@dataclass(frozen=True, eq=False)
class QuoteFilter:
    """The runs of `bound + 1` words of some texts.

    Args:
        secret: of the artifact: keys the hashes.
        bits: (N,) uint8, the filter.
        hashes: bits that a run sets.
        bound: words that may be said in a row.
        count: runs in the filter.
    """

    secret: bytes = field(repr=False)
    bits: npt.NDArray[np.uint8] = field(repr=False)
    hashes: int
    bound: int = BOUND
    count: int = 0

    def __post_init__(self) -> None:
        if self.bits.dtype != np.uint8 or self.bits.ndim != 1 or not len(self.bits) or self.hashes < 1:
            raise ValueError("the filter of quotes is empty or of another type")
        if self.bound < 1:
            raise ConfigError(f"bound={self.bound}: at least 1 word may be said in a row.")

    @classmethod
    def of(
        cls,
        secret: bytes,
        texts: Iterable[str],
        *,
        common: Iterable[str] = (),
        bound: int = BOUND,
        false_positives: float = FALSE_POSITIVES,
    ) -> QuoteFilter | None:
        """The filter of some texts; None if none is longer than the bound.

        Args:
            secret: of the artifact.
            texts: what is not to be quoted.
            common: texts whose runs of words are everybody's.
            bound: words that may be said in a row.
            false_positives: rate, in (0, 1).
        """
        if not 0 < false_positives < 1:
            raise ConfigError(f"false_positives={false_positives}: must lie between 0 and 1.")
        free = {run for text in common for run in runs(words(text), bound + 1)}
        found = {run for text in texts for run in runs(words(text), bound + 1)} - free
        if not found:
            return None
        size = max(64, math.ceil(-len(found) * math.log(false_positives) / math.log(2) ** 2))
        hashes = max(1, round(size / len(found) * math.log(2)))
        bits = np.zeros(-(-size // 8), dtype=np.uint8)
        empty = cls(secret, bits, min(hashes, 32), bound, len(found))
        for run in found:
            for place in empty._places(run):
                bits[place >> 3] |= 1 << (place & 7)
        return empty

    def __contains__(self, run: Sequence[str]) -> bool:
        """Whether the texts have this run of `bound + 1` words, as `words` gives them; may err to the safe side."""
        return all(self.bits[place >> 3] >> (place & 7) & 1 for place in self._places(run))

    def _places(self, run: Sequence[str]) -> Iterator[int]:
        # Independent places: sums of two hashes collide in the small filter of a short text.
        digest = hashlib.shake_128(b"quote\0" + self.secret + " ".join(run).encode()).digest(8 * self.hashes)
        size = 8 * len(self.bits)
        return (int.from_bytes(digest[n : n + 8], "little") % size for n in range(0, len(digest), 8))


def words(text: str) -> list[str]:
    """The words of a text as quotes are compared: case and accents folded, punctuation dropped."""
    found, word = [], ""
    for character in [*text, " "]:
        own = sign(character)
        if own.kind == LETTERS and not own.alone:
            word += own.letters
        elif own.kind == LETTERS:
            found += [word, own.letters] if word else [own.letters]
            word = ""
        elif own.kind != IGNORED and not is_within(character) and word:
            found.append(word)
            word = ""
    return found


def is_within(character: str) -> bool:
    """An apostrophe ends no word: "don't" is one."""
    return character in "'’‘ʼ"


def runs(own: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """All runs of so many words."""
    return (tuple(own[start : start + length]) for start in range(len(own) - length + 1))
