"""Questions that name nobody: "Which awards did she win?" is about whoever an earlier message named.

A clause with a pronoun that its own message does not explain is classified a second time, together with what was last
said about the scope, if anything was. It is in scope if that pair is, and if it asks what the scope's prompts ask
(`intents`). So is a question without a verb, "And the awards?", as long as nothing else was asked in between. An
innocent follow-up stays innocent, because it is neither, explains its pronoun itself, refers to somebody else who was
named later, or asks for something else.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from unlearned.classify.normalize import normalize
from unlearned.classify.windows import clauses
from unlearned.types import CharSpan, Prompt

LOOK_BACK = 40
"""Clauses after the last mention of the scope, until it is forgotten what a pronoun refers to."""

LOOK_BACK_CHARACTERS = 1000
"""Characters before a pronoun, in its own message, in which it may be explained."""

_ROLE = (
    r"authors?|writers?|novelists?|poets?|playwrights?|artists?|actors?|actress(?:es)?|singers?|musicians?|composers?|"
    r"painters?|directors?|scientists?|politicians?|presidents?|persons?|people|man|woman|men|women|guy|lady|"
    r"characters?|books?|novels?|works?|films?|movies?|series|stor(?:y|ies)|poems?|compan(?:y|ies)|place|subject|topic"
)
_REFERENCE = re.compile(
    rf"\b(?:(?P<he>he|him|his|himself)|(?P<she>she|hers?|herself)|(?P<they>they|them|theirs?|themselves)|"
    rf"(?:the|this|that|these|those|said|same)\s+(?:\w+\s+)?(?P<role>{_ROLE}))\b",
    re.IGNORECASE,
)
# Persons by what they are: they explain a pronoun that follows.
_MEN = (
    r"(?:grand)?(?:father|dad|son)|brother|uncle|nephew|husband|fianc[ée]|boyfriend|boy|guy|king|prince|wizard|knight|"
    r"hero"
)
_WOMEN = (
    r"(?:grand)?(?:mother|mom|mum|daughter)|sister|aunt|niece|wife|fianc[ée]e|girlfriend|girl|lady|queen|princess|"
    r"heroine"
)
_ANYBODY = (
    r"(?:grand)?(?:child|parent)|sibling|cousin|spouse|partner|friend|neighbou?r|colleague|coworker|"
    r"co-worker|boss|manager|employee|customer|client|patient|doctor|dentist|nurse|teacher|professor|student|pupil|"
    r"coach|lawyer|landlord|tenant|roommate|flatmate|baby|kid|toddler|protagonist|dog|cat|puppy|kitten|horse|someone|"
    r"somebody|everyone|everybody|anyone|nobody|officer|soldier|driver|pilot|chef|player|candidate|applicant|user|"
    r"engineer|developer|plumber|baker|farmer|judge|guest"
)
FRAGMENT_WORDS = 6
"""Most words of a question without a verb."""

_CONTINUES = re.compile(r"(?:and|or|also|what about|how about|what of|same for)\b", re.IGNORECASE)
_QUESTION = re.compile(r"\?[\"'”’)\]!?]*\s*$")
_VERB_FORM = re.compile(
    r"\b(?:am|is|are|was|were|be|do|does|did|has|have|had|can|could|would|shall|should|might|must|(?-i:will|may))(?:n['’]t)?\b|"
    r"\b(?:who|what|when|where|why|how|that|there|it)['’](?:s|re|d|ll)\b|"
    # "Who wrote it?", "What inspired the book?": the word behind is a verb
    r"\b(?:who|when|where|why|how(?! (?:about|many)\b)|what(?! (?:about|of)\b)(?= \S+ ))"
    r" +(?!(?:else|other|more|exactly|precisely|not|so|in|at|on|of|for|from|with|and|or)\b)\w",
    re.IGNORECASE,
)
_PERSONS = {
    kind: re.compile(rf"\b(?:{words})s?\b", re.IGNORECASE)
    for kind, words in (
        ("he", f"{_MEN}|{_ANYBODY}"),
        ("she", f"{_WOMEN}|{_ANYBODY}"),
        ("they", f"{_MEN}|{_WOMEN}|{_ANYBODY}"),
    )
}
_NAME = re.compile(
    r"(?<![\w'’-])[A-Z][\w'’-]*[a-z][\w'’-]*(?:\s+(?:[A-Z][\w'’.-]*|de|da|del|van|von|bin|ibn|al|el|la))*"
)
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


@dataclass(frozen=True, slots=True)
class Mention:
    """What was said about the scope."""

    place: CharSpan
    """Where the mention is in the prompt."""

    text: str
    """Text as it was read; not as it was written, where it was encoded or disguised."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A clause that refers back, and what it most probably refers to."""

    antecedent: str
    clause: str
    place: CharSpan
    """Where the clause is in the prompt."""


def follow_ups(prompt: Prompt, mentions: Sequence[Mention], *, fragments: bool = True) -> list[FollowUp]:
    """Clauses of a conversation that refer to what an earlier message said about the scope: the last of that.

    Args:
        prompt: the conversation.
        mentions: in any order; of those that overlap, the shortest is meant.
        fragments: whether questions without a verb may refer to it, too.
    """
    found: list[FollowUp] = []
    coming = deque(sorted(mentions, key=lambda mention: (mention.place[0], -mention.place[1])))
    antecedent: Mention | None = None
    # Since the last mention: clauses, what the user said in them, and whether that asks for something else.
    age, others, strayed = 0, "", False
    for segment in prompt.segments:
        own = [
            (" ".join(normalize(prompt.text[start:end]).split()), (start, end))
            for start, end in clauses(prompt.text, segment.start, segment.end)
        ]
        before, following = "", set[CharSpan]()
        fixed = not fragments or segment.role == "assistant"
        asks_else = fixed or strayed
        for clause, place in own:
            if antecedent is not None and age < LOOK_BACK:
                goes_on = not asks_else and is_fragment(clause) and not _introduces(f"{others} {before}", "they")
                if goes_on or refers_back(before, clause, others):
                    found.append(FollowUp(antecedent.text, clause, place))
                    following.add(place)
                asks_else = fixed or (place not in following and (asks_else or _is_question(clause)))
            before = f"{before} {clause}"[-LOOK_BACK_CHARACTERS:]
        for clause, place in own:
            while coming and coming[0].place[0] < place[1]:
                antecedent, age, others, strayed = coming.popleft(), 0, "", False
            if antecedent is None or place[0] < antecedent.place[1]:
                continue
            age += 1
            if segment.role == "user":
                others = f"{others} {clause}"[-LOOK_BACK_CHARACTERS:]
                strayed = place not in following and (strayed or _is_question(clause))
    return found


def is_fragment(clause: str) -> bool:
    """Whether it asks in a few words without a verb, as only what goes on with a subject does, and names nobody."""
    asks = _is_question(clause) or _CONTINUES.match(clause)
    words = len(re.findall(r"[^\W\d_][\w'’-]*", clause))
    return bool(asks and 0 < words <= FRAGMENT_WORDS and not _VERB_FORM.search(clause) and not _names_somebody(clause))


def _is_question(clause: str) -> bool:
    return _QUESTION.search(clause) is not None


def refers_back(before: str, clause: str, others: str = "") -> bool:
    """Whether a clause has a pronoun or the like that is explained nowhere else.

    Args:
        before: what its own message says before it; a pronoun may be explained there.
        clause: the clause.
        others: what was said since the mention to which it may refer; somebody else may have been introduced there.
    """
    for match in _REFERENCE.finditer(clause):
        context = f"{before} {_WH_PHRASE.sub('', clause[: match.start()])}"
        if match["role"] is not None:  # "the author" is explained in its own message, if anywhere
            introduced = re.search(rf"\b{re.escape(match['role'])}\b", before, re.IGNORECASE)
            if introduced is None and not _names_somebody(before):
                return True
            continue
        kind = str(match.lastgroup)
        if _introduces(context, kind) or _introduces(others, kind):
            continue
        if kind == "they" and _PLURAL_NOUN.search(context):
            continue
        return True
    return False


@lru_cache(maxsize=64)  # what the user said since is looked at for every clause
def _introduces(text: str, kind: str) -> bool:
    """Whether a text names somebody, or says what somebody is, who may be meant by a pronoun of the kind."""
    return _names_somebody(text) or _PERSONS[kind].search(text) is not None


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


_PLACE = re.compile(r"\b(?:in|to|from|at|near|on)\s+$", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n\"“])\s*$")
_VERB = re.compile(r"\s+(?:is|was|has|had|did|does|wrote|said|won|and)\b")
