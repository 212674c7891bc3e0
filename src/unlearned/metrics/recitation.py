"""How much of a text is recited: the longest run of its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


class Recited:
    """Searches generations for what they share with some texts.

    Args:
        texts: what may be recited; no run reaches from one text into the next.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._ids: dict[str, int] = {}
        ids: list[int] = []
        for text in texts:
            ids += [self._ids.setdefault(word, len(self._ids)) for word in words(text)] + [-1]
        self._text: npt.NDArray[np.int64] = np.array(ids, dtype=np.int64)

    def longest_run(self, generated: str) -> int:
        """Words of the longest run of consecutive words that stands in one of the texts, too."""
        longest = 0
        runs = np.zeros(len(self._text) + 1, dtype=np.int64)  # runs[i]: common words that end before place i
        for word in words(generated):
            same = self._text == self._ids.get(word, -2)
            runs[1:] = np.where(same, runs[:-1] + 1, 0)  # the right side is computed before anything is written
            longest = max(longest, int(runs.max()))
        return longest
