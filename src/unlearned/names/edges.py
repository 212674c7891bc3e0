"""A passage that ends inside a name grows to the whole name. By spelling alone: for names that nobody has given."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from unlearned.names.matcher import tokens
from unlearned.names.parts import is_title
from unlearned.names.people import is_shouted
from unlearned.names.words import KEPT, OPENERS

MOST_WORDS = 4
"""By which a passage grows on each side."""

REACH = 80
"""Characters that are looked at on each side."""

LONGEST = 20
"""Letters of a word of a name."""

_LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_JOINED = re.compile(r"[ \t]{1,2}|-|\.[ \t]{0,2}")


def grown_to_matches(place: tuple[int, int], matches: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The passage together with every one of the matches, in order and apart, that it overlaps."""
    start, end = place
    first = bisect_right(matches, start, key=lambda match: match[1])
    last = bisect_left(matches, end, key=lambda match: match[0])
    if first < last:
        start, end = min(start, matches[first][0]), max(end, matches[last - 1][1])
    return start, end


def grown(text: str, start: int, end: int, low: int, high: int) -> tuple[int, int]:
    """The passage `text[start:end]`, grown within `text[low:high]` where its edges part capitalised words of a name."""
    low, high = max(low, start - REACH), min(high, end + REACH)
    if is_shouted(text[low:high]):
        return start, end
    words = [(low + word.start, low + word.end) for word in tokens(text[low:high])]
    first = next((n for n, word in enumerate(words) if word[1] > start), len(words))
    last = next((n for n in range(len(words) - 1, -1, -1) if words[n][0] < end), -1)
    if first > last:
        return start, end
    for _ in range(MOST_WORDS):
        if first == 0 or not _is_one_name(text, words[first - 1], words[first]):
            break
        first -= 1
        start = min(start, words[first][0])
    for _ in range(MOST_WORDS):
        if last + 1 >= len(words) or not _is_one_name(text, words[last], words[last + 1]):
            break
        last += 1
        end = max(end, words[last][1])
    return start, end


def _is_one_name(text: str, left: tuple[int, int], right: tuple[int, int]) -> bool:
    between, one, other = text[left[1] : right[0]], text[slice(*left)], text[slice(*right)]
    if not _JOINED.fullmatch(between) or not (one[0].isupper() and other[0].isupper()):
        return False
    if between.startswith(".") and not (len(one) == 1 or is_title(one)):
        return False
    return _may_be_of_a_name(one) and _may_be_of_a_name(other)


def _may_be_of_a_name(word: str) -> bool:
    if len(word) == 1:
        return word != "I"
    return len(word) <= LONGEST and word.lower() not in KEPT | OPENERS and _LETTERS.fullmatch(word) is not None
