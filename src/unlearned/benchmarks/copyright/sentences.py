"""Sentences by rule: where one ends, without a model."""

from __future__ import annotations

import re

# Closing punctuation with its quotes, a space, and something that can begin a sentence.
_END = re.compile(r"""[.!?…]+["'”’)\]]*\s+(?=["'“‘(\[]*[A-Z0-9À-ÖØ-Þ])|\n\s*\n\s*""")
_LAST_WORD = re.compile(r"(\S+)\s*$")
_TITLES = frozenset(
    "mr. mrs. ms. dr. prof. rev. st. sr. jr. capt. col. gen. lt. sgt. no. vs. fig. vol. ch. pp.".split()
)
_INITIAL = re.compile(r"""^["'“‘(\[]*(?:[A-Z]\.)+$""")


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, without the space around them; nothing but space is lost.

    A sentence ends at `.`, `!`, `?` or `…` before something that can begin one, and at an empty line. A title ("Mr.")
    or an initial ("J.") ends none. A line's end alone does not count, since books are wrapped.
    """
    found, start = [], 0
    for match in _END.finditer(text):
        if not _abbreviated(text[start : match.end()]):
            found.append(text[start : match.end()].strip())
            start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def _abbreviated(text: str) -> bool:
    if not text.rstrip().endswith("."):
        return False
    last = _LAST_WORD.search(text)
    return last is not None and (last[1].lower() in _TITLES or _INITIAL.match(last[1]) is not None)
