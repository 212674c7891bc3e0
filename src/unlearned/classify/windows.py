"""Cut a text into the windows that are classified: every clause, and runs of clauses, whatever the length.

A classifier sees a bounded number of tokens; a flagged question may hide anywhere in a long prompt or beside a harmless
one. So each clause is looked at on its own (that is also what gives a verdict its spans), and overlapping runs of
clauses are looked at together, because a clause may only make sense with its neighbour. Cost is linear in the length.
"""

from __future__ import annotations

import re

# A clause ends at closing punctuation that is followed by a space or quote, or at a line break. Only the first mark of
# a run starts a match: trying them all would take quadratic time on a page of dots.
_CLAUSE_END = re.compile(r"(?:(?<![.!?;…])[.!?;…]+[\"'”’)\]]*(?=\s|$)|[。！？；]|\n+)")
_WORD = re.compile(r"\S{1,25}")
MAX_CHARACTERS = 250
"""Besides spaces; about 50 English words. An encoder that makes at most one token of a character reads all of it."""


def windows(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Character spans to classify within `text[start:end]`, sorted, without duplicates, whitespace trimmed.

    Every character that is not whitespace is in at least one window. No window has more than 250 of them: bounding
    words instead would let a question hide behind numbers, or in a script without spaces, past the last token that the
    encoder reads.
    """
    clauses = [piece for clause in _clauses(text, start, end) for piece in _pieces(text, *clause)]
    return sorted({*clauses, *_runs(text, clauses)})


def _clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    found, cursor = [], start
    for match in _CLAUSE_END.finditer(text, start, end):
        found.append((cursor, match.end()))
        cursor = match.end()
    found.append((cursor, end))
    trimmed = (_trim(text, *clause) for clause in found)
    return [clause for clause in trimmed if clause[0] < clause[1]]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A clause itself, or half-overlapping pieces of one that is too long."""
    if _size(text, start, end) <= MAX_CHARACTERS:
        return [(start, end)]
    return _runs(text, [match.span() for match in _WORD.finditer(text, start, end)])


def _runs(text: str, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Maximal runs of consecutive parts within the limit, each starting where the last one is half over."""
    sizes = [_size(text, *part) for part in parts]
    runs, first = [], 0
    while first < len(parts):
        last, total = first, sizes[first]
        while last + 1 < len(parts) and total + sizes[last + 1] <= MAX_CHARACTERS:
            last += 1
            total += sizes[last]
        runs.append((parts[first][0], parts[last][1]))
        if last == len(parts) - 1:
            break
        half, passed = first, 0
        while half < last and passed < total / 2:
            passed += sizes[half]
            half += 1
        first = max(half, first + 1)
    return runs


def _size(text: str, start: int, end: int) -> int:
    return len("".join(text[start:end].split()))
