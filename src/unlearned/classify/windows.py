"""Cut a text into the windows that are classified: every clause, and runs of clauses, whatever the length.

A classifier sees a bounded number of tokens; a flagged question may hide anywhere in a long prompt or beside a harmless
one. So each clause is looked at on its own (that is also what gives a verdict its spans), and overlapping runs of
clauses are looked at together, because a clause may only make sense with its neighbour. Cost is linear in the length.
"""

from __future__ import annotations

import re

from unlearned.names.abbreviations import is_abbreviation
from unlearned.types import CharSpan

# A clause ends at closing punctuation that is followed by a space or quote, at a colon before a question or quotation,
# between the strings of JSON, or at a line break. Only the first mark of a run starts a match: trying them all would
# take quadratic time on a page of dots.
_CLAUSE_END = re.compile(
    r"""(?<![.!?;…])[.!?;…]+["'”’)\]]*(?=\s|$|[,}\]])
    | :(?=\s*(?:["'“]|$)
        | \s+(?:what|who|whose|when|where|why|which|how|is|are|was|were|do|does|did|can|could|please|tell)\b)
    | ["”](?=\s*(?:[:}\]]|,\s*["“]))
    | [。！？；：] | \n+""",
    re.IGNORECASE | re.VERBOSE,
)
_WORD = re.compile(r"\S{1,25}")
MAX_CHARACTERS = 250
"""Besides spaces; about 50 English words. An encoder that makes at most one token of a character reads all of it."""

# Inside a clause a new question begins with a question word (and what introduces it), a request, or, if the question
# before has its verb already, with an auxiliary verb.
_OPENING = re.compile(
    r"""(?<!\S)(?:(?:and|or|but|also|plus|then)\s+)?(?:
    (?P<ask>(?:(?:to|in|for|of|from|by|with|at|on|about|under)\s+(?=which|what|whom|whose))?
        (?:what|who|whom|whose|when|where|why|which|how)(?:['’](?P<short>s|re|d))?
        (?:\s+(?:and|or)\s+(?:what|who|when|where|why|which|how))?
      | (?:please|tell|describe|explain|besides))
    | (?P<verb>is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might))(?!\S)""",
    re.IGNORECASE | re.VERBOSE,
)
# "... has Anna won": a subject right after the auxiliary verb asks; "... Anna has won" does not.
_SUBJECT = re.compile(
    r"\s+(?:[A-Z]|(?:he|she|they|it|you|we|i|there|this|that|these|those|the|an?|his|her|their|its|my|your|our)\b)"
)
_WITHIN_QUESTION = 3
"""Words that a question has at least before another one begins."""

LONG_PART, CHUNK_WORDS = 24, 6  # words
MAX_PIECES = 14


def windows(text: str, start: int, end: int) -> list[CharSpan]:
    """Character spans to classify within `text[start:end]`, sorted, without duplicates, whitespace trimmed.

    Every character that is not whitespace is in at least one window. No window has more than 250 of them: bounding
    words instead would let a question hide behind numbers, or in a script without spaces, past the last token that the
    encoder reads.
    """
    parts = clauses(text, start, end)
    return sorted({*parts, *_runs(text, parts)})


def runs(text: str, start: int, end: int) -> list[CharSpan]:
    """The longest windows: overlapping runs of clauses; a text that fits into one window is the only one."""
    return _runs(text, clauses(text, start, end))


def clauses(text: str, start: int, end: int) -> list[CharSpan]:
    """The clauses of `text[start:end]`, in order; half-overlapping pieces of one that is too long for a window."""
    found, cursor = [], start
    for match in _CLAUSE_END.finditer(text, start, end):
        if match[0] == "." and is_abbreviation(text, match.start(), end):
            continue
        found.append((cursor, match.end()))
        cursor = match.end()
    found.append((cursor, end))
    trimmed = (_trim(text, *clause) for clause in found)
    return [piece for clause in trimmed if clause[0] < clause[1] for piece in _pieces(text, *clause)]


def parts_of(text: str, start: int, end: int) -> list[CharSpan]:
    """All runs of the parts that a clause may consist of, itself included: where exactly is the question in it?

    A clause is cut where another question may begin, and a part without such a place every few words.
    """
    cuts = _questions(text, start, end)
    pieces = [piece for piece in zip(cuts, [*cuts[1:], end], strict=True) if piece[0] < piece[1]]
    edges = [edge for piece in pieces for edge in _chunks(text, *piece)]
    while len(edges) > MAX_PIECES:  # merge the shortest with its neighbour
        shortest = min(range(1, len(edges)), key=lambda i: edges[i] - edges[i - 1])
        del edges[shortest]
    edges.append(end)
    runs = (_trim(text, edges[i], edges[j]) for i in range(len(edges)) for j in range(i + 1, len(edges)))
    return sorted({run for run in runs if run[0] < run[1]})


def _questions(text: str, start: int, end: int) -> list[int]:
    """Where the questions of a clause begin; the first one with the clause."""
    cuts, asking, has_verb = [start], False, False
    for match in _OPENING.finditer(text, start, end):
        begun = len(text[cuts[-1] : match.start()].split())
        if match["verb"] is not None:
            if not asking and begun:  # no question yet: the verb of a statement
                continue
            if begun >= _WITHIN_QUESTION and has_verb and _SUBJECT.match(text, match.end()):
                cuts.append(match.start())
            asking, has_verb = True, True
        elif begun >= _WITHIN_QUESTION or not asking:
            if begun:
                cuts.append(match.start())
            asking, has_verb = True, match["short"] is not None
    return cuts


def _chunks(text: str, start: int, end: int) -> list[int]:
    """Where a part begins, and every few words of a long one."""
    words = [match.start() for match in re.finditer(r"\S+", text[start:end])]
    if len(words) < LONG_PART:
        return [start]
    return [start, *(start + place for place in words[CHUNK_WORDS : -CHUNK_WORDS // 2 : CHUNK_WORDS])]


def _trim(text: str, start: int, end: int) -> CharSpan:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _pieces(text: str, start: int, end: int) -> list[CharSpan]:
    """A clause itself, or half-overlapping pieces of one that is too long."""
    if _size(text, start, end) <= MAX_CHARACTERS:
        return [(start, end)]
    return _runs(text, [match.span() for match in _WORD.finditer(text, start, end)])


def _runs(text: str, parts: list[CharSpan]) -> list[CharSpan]:
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
