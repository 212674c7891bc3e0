"""Which full stops end nothing: those behind initials, titles and other abbreviations.

A clause that ended there would part a name: "What did Thomas A. | Edison do in 1900?"
"""

from __future__ import annotations

import re

from unlearned.names.parts import bare, is_title
from unlearned.names.words import OPENERS

_BEFORE = re.compile(r"(?<![\w.])((?:[^\W\d_]{1,3}\.)*[^\W\d_]+)\.$")
"""The word that a full stop closes, dots within included: "U.S"."""

_AFTER = re.compile(r"\s*[\"'“‘(\[]*([^\W_]+|[^\w\s])")
_BEFORE_NAMES = frozenset("mt ft vs cf ca approx eg ie viz messrs mlle aka née nee bros".split())
_BEFORE_NUMBERS = frozenset("no nos p pp vol fig art sec ch op para ed eds nr str ver".split())
_BEFORE_LOWER_CASE = frozenset("jr sr inc ltd co corp bros etc al esq dept univ assn ave blvd est md phd sq".split())
_MONTHS = frozenset("jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun".split())
LOOK_BACK = 24
"""Characters of the longest abbreviation, and more."""


def is_abbreviation(text: str, stop: int, end: int) -> bool:
    """Whether the full stop at `text[stop]` belongs to an abbreviation, so that the sentence goes on.

    Args:
        text: the text.
        stop: where the full stop is.
        end: where the text to look at ends, at most.
    """
    word = _BEFORE.search(text[max(0, stop - LOOK_BACK) : stop + 1])
    after = _AFTER.match(text, stop + 1, min(end, stop + 1 + LOOK_BACK))
    if word is None or after is None or "\n" in text[stop + 1 : after.start(1)]:
        return False
    following = after[1]
    if not following[0].isalnum():
        return following in ",;:)-–—'’"
    opens = following.lower() in OPENERS
    key = bare(word[1])
    if following[0].islower() and (len(key) > 1 or not opens):
        return is_title(key) or len(key) == 1 or "." in word[1] or key in _ALL
    if following[0].isdigit():
        return key in _BEFORE_NUMBERS | _BEFORE_NAMES | _MONTHS
    if opens:
        return False
    return len(key) == 1 or is_title(key) or "." in word[1] or key in _BEFORE_NAMES


_ALL = _BEFORE_NAMES | _BEFORE_NUMBERS | _BEFORE_LOWER_CASE | _MONTHS
