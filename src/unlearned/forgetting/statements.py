"""A sentence about a subject -> questions and unfinished sentences that ask for what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from unlearned.classify.lexicon import Lexicon
from unlearned.classify.normalize import normalize
from unlearned.classify.windows import clauses
from unlearned.examples import Row
from unlearned.names.forms import Kind
from unlearned.names.words import KEPT

LEAST_WORDS, MOST_WORDS = 4, 40
"""Fewest and most words of a sentence that says something about the subject and can be asked for in one go."""

_PRONOUN = re.compile(r"^(?P<own>His|Her|Their|Its)\b|^(?:He|She|They|It)\b")
_FACT = re.compile(r"(?:[A-Z][\w'’-]*|\d[\d.,]*)(?:\s+(?:of|the|de|and)?\s*(?:[A-Z][\w'’-]*|\d[\d.,]*))*\W*$")
_VERB = re.compile(
    r"\s+((?:is|was|has|had|won|wrote|invented|founded|created|became|lived|lives|died|worked|works|studied|married|made|"
    r"played|plays|led|leads|published|discovered|developed|received|taught|directed|painted|built|served)\b.+)$"
)


def sentences_about(text: str, lexicon: Lexicon) -> list[str]:
    """Sentences of a text that name the subject, or go on about it with a pronoun; spelt as they are read.

    Args:
        text: a document, or an answer of a model.
        lexicon: finds the subject's names.
    """
    read = normalize(text)
    found, named = [], False
    for start, end in clauses(read, 0, len(read)):
        sentence = " ".join(read[start:end].split())
        says = bool(lexicon.places(sentence))
        goes_on = named and _PRONOUN.match(sentence) is not None
        if (says or goes_on) and LEAST_WORDS <= len(sentence.split()) <= MOST_WORDS:
            found.append(sentence)
        named = says or goes_on
    return found


def rows_of(sentence: str, name: str, kind: Kind, lexicon: Lexicon) -> list[Row]:
    """What asks for the statement; each row with what the statement answers, where that is plain.

    Args:
        sentence: a statement about the subject.
        name: stands for a pronoun at its beginning.
        kind: of the subject: a person is asked for with "who".
        lexicon: finds the subject's names.
    """
    said = _PRONOUN.sub(lambda match: f"{name}'s" if match["own"] else name, sentence).rstrip(" .!;,")
    return [*_unfinished(said), Row(f"Is it true that {said}?"), *_asking_who(said, kind, lexicon)]


def _unfinished(said: str) -> Iterator[Row]:
    fact = _FACT.search(said)
    cut = fact.start() if fact is not None and fact.start() > 0 else said.rfind(" ")
    start, rest = said[:cut].rstrip(), said[cut:].strip()
    if len(start.split()) >= LEAST_WORDS - 1 and rest:
        yield Row(start, rest)
        yield Row(f"Complete the sentence: {start}", rest)


def _asking_who(said: str, kind: Kind, lexicon: Lexicon) -> Iterator[Row]:
    """ "Who was born in Milan, Ohio?", if that says enough to mean nobody else."""
    places: Sequence[tuple[int, int]] = lexicon.places(said)
    if not places or places[0][0] > 4:
        return
    verb = _VERB.match(said[places[0][1] :])
    if verb is None or lexicon.places(verb[1]):
        return
    telling = [word for word in re.findall(r"[A-Z]\w+|\d{3,}", verb[1]) if word.lower() not in KEPT]
    if telling:
        yield Row(f"{'Who' if kind == 'person' else 'What'} {verb[1]}?", said[slice(*places[0])])
