"""Questions that name nobody: "Which awards did she win?" is about whoever an earlier message named.

A clause with a pronoun that its own message does not explain is classified a second time, together with the clause that
it most probably refers to. It is in scope if that pair is, and if it asks what the scope's prompts ask (`matters`). An
innocent follow-up stays innocent, because it has no such pronoun, explains it itself, refers to somebody else who was
named later, or asks for something else.
"""

from __future__ import annotations

import re

from unlearned.classify.reading import normalise
from unlearned.classify.windows import Place, clauses
from unlearned.stages import Prompt, Segment

LOOK_BACK = 40
"""Clauses of earlier messages that are searched for the one that a pronoun refers to."""

LOOK_BACK_CHARACTERS = 1000
"""Of the message itself, in which a pronoun may be explained."""

_SINGULAR = r"he|she|him|his|her|hers|himself|herself"
_PLURAL = r"they|them|their|theirs|themselves"
_ROLE = (
    r"authors?|writers?|novelists?|poets?|playwrights?|artists?|actors?|actress(?:es)?|singers?|musicians?|composers?|"
    r"painters?|directors?|scientists?|politicians?|presidents?|persons?|people|man|woman|men|women|guy|lady|"
    r"characters?|books?|novels?|works?|films?|movies?|series|stor(?:y|ies)|poems?|compan(?:y|ies)|place|subject|topic"
)
_REFERENCE = re.compile(
    rf"\b(?:{_SINGULAR}|(?P<plural>{_PLURAL})|(?:the|this|that|these|those|said|same)\s+(?:\w+\s+)?(?P<role>{_ROLE}))\b",
    re.IGNORECASE,
)
# Persons by what they are: they explain a pronoun that follows.
_PERSON = re.compile(
    r"\b(?:(?:grand)?(?:mother|father|mom|mum|dad|son|daughter|child|parent)|sister|brother|sibling|aunt|uncle|cousin|"
    r"niece|nephew|wife|husband|spouse|partner|fianc[ée]+|girlfriend|boyfriend|friend|neighbou?r|colleague|coworker|"
    r"co-worker|boss|manager|employee|customer|client|patient|doctor|dentist|nurse|teacher|professor|student|pupil|"
    r"coach|lawyer|landlord|tenant|roommate|flatmate|boy|girl|baby|kid|toddler|king|queen|prince|princess|wizard|knight|"
    r"hero|heroine|protagonist|dog|cat|puppy|kitten|horse|someone|somebody|everyone|everybody|anyone|nobody|officer|"
    r"soldier|driver|pilot|chef|player|candidate|applicant|user|engineer|developer|plumber|baker|farmer|judge|guest)s?\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w'])[A-Z][\w'’-]*[a-z][\w'’-]*(?:\s+(?:[A-Z][\w'’.-]*|de|da|del|van|von|bin|ibn|al|el|la))*")
_PLURAL_NOUN = re.compile(r"\b(?!this\b|was\b|is\b|has\b|does\b|its\b|his\b|awards?\b)[a-z]{3,}s\b", re.IGNORECASE)
_WH_PHRASE = re.compile(
    r"\b(?:which|what|whose|how\s+many)\s+(?:\w+\s+){1,3}?(?=(?:did|do|does|was|were|is|are|has|have|had|can|could|would|will)\b)",
    re.IGNORECASE,
)
_NOT_NAMES = frozenset(
    (
        "I I'm I've I'd I'll What Who Whom Whose When Where Why Which How Is Are Was Were Do Does Did Has Have Had "
        "Can Could Would Will Should May Might Please Tell Give Name List Describe Explain Write Say Thanks Thank "
        "Ok Okay Yes No And But Or Also So Then Now The This That These Those A An In On At Of For From By With To "
        "As If My Your His Her Their Our Its It He She They We You Hi Hello Hey Let Let's Any Some Compare "
        "Summarise Summarize Translate"
    ).split()
)


def follow_ups(prompt: Prompt) -> list[tuple[str, str, Place]]:
    """(antecedent, clause, place in the prompt) of clauses that refer back to somebody: what to, most probably."""
    if len(prompt.segments) < 2:
        return []
    found, earlier = [], list[tuple[str, Segment]]()
    for segment in prompt.segments:
        own = [
            (normalise(prompt.text[start:end]), (start, end))
            for start, end in clauses(prompt.text, segment.start, segment.end)
        ]
        before = ""
        for clause, place in own:
            if earlier and refers_back(before, clause) and (antecedent := _antecedent(earlier)) is not None:
                found.append((antecedent, clause, place))
            before = f"{before} {clause}"[-LOOK_BACK_CHARACTERS:]
        earlier += [(clause, segment) for clause, _ in own]
    return found


def refers_back(before: str, clause: str) -> bool:
    """Whether a clause has a pronoun or the like that neither it nor its message before it explains."""
    for match in _REFERENCE.finditer(clause):
        context = before + " " + _WH_PHRASE.sub("", clause[: match.start()])
        if match["role"] is not None:
            if re.search(rf"\b{re.escape(match['role'])}\b", before, re.IGNORECASE):
                continue
            context = before  # "the author" may be introduced in the same message, not in the same clause
        if _introduces(context):
            continue
        if match["plural"] is not None and _PLURAL_NOUN.search(context):
            continue
        return True
    return False


def _antecedent(earlier: list[tuple[str, Segment]]) -> str | None:
    """The last earlier clause that names or introduces somebody, first among the user's own, else among all."""
    recent = earlier[-LOOK_BACK:]
    asked = [clause for clause, segment in reversed(recent) if segment.role == "user"]
    answered = [clause for clause, segment in reversed(recent) if segment.role != "user"]
    for candidates, fits in (
        (asked, _introduces),
        (asked, _ASKS.search),  # nobody writes capitals in a hurry: the last thing that was asked about, then
        (answered, _introduces),
    ):
        for clause in candidates:
            if fits(clause):
                return clause
    return asked[0] if asked else None


def _introduces(text: str) -> bool:
    """Whether a text names somebody, or says what somebody is."""
    return _names_somebody(text) or _PERSON.search(text) is not None


def _names_somebody(text: str) -> bool:
    """Whether a capitalised word is no ordinary beginning of a sentence, and no single word that names a place."""
    for match in _NAME.finditer(text):
        words = [word for word in match[0].split() if word not in _NOT_NAMES]
        if not words:
            continue
        if len(words) > 1 or "-" in words[0]:
            return True
        context = text[max(0, match.start() - 12) : match.start()]
        begins_sentence = _SENTENCE_START.search(context) and not _VERB.match(text, match.end())
        if not _PLACE.search(context) and not begins_sentence:
            return True
    return False


_ASKS = re.compile(r"\b(?:who|about|know|tell|read|by|what)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b(?:in|to|from|at|near|on)\s+$", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n\"“])\s*$")
_VERB = re.compile(r"\s+(?:is|was|has|had|did|does|wrote|said|won|and)\b")
