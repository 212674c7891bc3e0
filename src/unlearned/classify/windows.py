"""Cut a text into the windows that are classified: every clause, and runs of clauses, whatever the length.

A classifier sees a bounded number of tokens; a flagged question may hide anywhere in a long prompt or beside a harmless
one. So each clause is looked at on its own (that is also what gives a verdict its spans), and overlapping runs of
clauses are looked at together, because a clause may only make sense with its neighbour. Cost is linear in the length.
"""

from __future__ import annotations

import re

# A clause ends at closing punctuation that is followed by a space or quote, or at a line break.
_CLAUSE_END = re.compile(r"(?:[.!?;…]+[\"'”’)\]]*(?=\s|$)|[。！？；]|\n+)")
_WORD = re.compile(r"\S+")
MAX_WORDS = 60  # stays inside 128 encoder tokens for ordinary text


def windows(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Character spans to classify within `text[start:end]`, sorted, without duplicates, whitespace trimmed.

    Every character that is not whitespace is covered by at least one window. No window has more than 60 words.
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
    words = [match.span() for match in _WORD.finditer(text, start, end)]
    if len(words) <= MAX_WORDS:
        return [(start, end)]
    step = MAX_WORDS // 2
    firsts = range(0, max(1, len(words) - step), step)
    return [(words[i][0], words[min(i + MAX_WORDS, len(words)) - 1][1]) for i in firsts]


def _runs(text: str, clauses: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Maximal runs of consecutive clauses of at most 60 words, each starting where the last one is half over."""
    counts = [len(_WORD.findall(text, *clause)) for clause in clauses]
    runs, first = [], 0
    while first < len(clauses):
        last, words = first, counts[first]
        while last + 1 < len(clauses) and words + counts[last + 1] <= MAX_WORDS:
            last += 1
            words += counts[last]
        runs.append((clauses[first][0], clauses[last][1]))
        if last == len(clauses) - 1:
            break
        half, passed = first, 0
        while half < last and passed < words / 2:
            passed += counts[half]
            half += 1
        first = max(half, first + 1)
    return runs
