"""Is an answer about what was asked? A written rule, in English, for the answers of a model that does not know.

An answer is on topic if it names the subject in the user's own words and gives the kind of thing that is asked for.
Whether it is true plays no part.
"""

from __future__ import annotations

import re

from unlearned.learn.distinctive import named_facts, said_words
from unlearned.substitution.spelling import content_words, names_in
from unlearned.words import squash

_REFERS_BACK = re.compile(r"\W*(?:he|she|it|they|this|these|his|her|its|their)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?|centur(?:y|ies))\b",
    re.IGNORECASE,
)
_WANTS_NUMBER = re.compile(r"\b(?:when|how (?:many|much|old|long|tall)|(?:what|which) (?:year|date|day))\b", re.I)
_WANTS_NAME = re.compile(r"\bwho(?:se)? (?!(?:is|was|are|were) [A-Z])|\bwhom\b|\bwhere\b", re.I)


def on_topic(question: str, answer: str) -> bool:
    """Whether the answer names the subject, or begins by referring back to it, and is of the kind asked for.

    - The subject is named by one of the question's names; where it has none, by one of its other content words.
    - "When" and "how many" ask for a number; "who" (but for "who is NAME") and "where" for a name that the question
      does not hold; everything else for any words.
    """
    return _about(question, answer) and _of_kind(question, answer)


def _about(question: str, answer: str) -> bool:
    names = {squash(name) for name in names_in([question])} or {squash(word) for word in content_words(question)}
    said = said_words(answer)
    return bool(names & said) or _REFERS_BACK.match(answer) is not None


def _of_kind(question: str, answer: str) -> bool:
    if _WANTS_NUMBER.search(question):
        return _NUMBER.search(answer) is not None
    if _WANTS_NAME.search(question):
        return bool(named_facts(answer, question))
    return bool(said_words(answer))
