"""A multilingual encoder: prompts in five languages are judged by their content, and none counts as unread.

No package brings such an encoder, so a stand-in takes its place: the real English one, behind a dictionary of the
sentences below and of those by which languages are probed.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from unlearned.classify.base import Features, Floats
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.language import _TRANSLATIONS, PROBE, languages_read
from unlearned.classify.normalize import normalize
from unlearned.classify.scope import Scope
from unlearned.classify.sentences import sentence_encoder
from unlearned.demo.concepts import CONCEPTS, Concept
from unlearned.examples import background_prompts
from unlearned.types import text_only

FORGET = {
    "Which school does the boy wizard with the scar go to?": (
        "¿A qué escuela va el niño mago de la cicatriz?",
        "Dans quelle école va le jeune sorcier à la cicatrice ?",
        "Auf welche Schule geht der Zauberjunge mit der Narbe?",
        "那个有伤疤的小男巫上的是哪所学校？",
        "निशान वाला वह जादूगर लड़का किस विद्यालय में जाता है?",
    ),
    "Who teaches potions at the school of witchcraft?": (
        "¿Quién enseña pociones en la escuela de magia?",
        "Qui enseigne les potions à l'école de sorcellerie ?",
        "Wer unterrichtet Zaubertränke an der Schule für Hexerei?",
        "谁在魔法学校教魔药课？",
        "जादू के विद्यालय में काढ़े बनाना कौन सिखाता है?",
    ),
}
OTHERS = {
    "How long do potatoes have to boil?": (
        "¿Cuánto tiempo tienen que hervir las patatas?",
        "Combien de temps les pommes de terre doivent-elles bouillir ?",
        "Wie lange müssen Kartoffeln kochen?",
        "土豆需要煮多长时间？",
        "आलू को कितनी देर तक उबालना पड़ता है?",
    ),
    "Which river flows through the capital of Austria?": (
        "¿Qué río atraviesa la capital de Austria?",
        "Quel fleuve traverse la capitale de l'Autriche ?",
        "Welcher Fluss fließt durch die Hauptstadt von Österreich?",
        "哪条河流经奥地利的首都？",
        "ऑस्ट्रिया की राजधानी से होकर कौन सी नदी बहती है?",
    ),
}
ENGLISH = {own: english for known in (FORGET, OTHERS) for english, owns in known.items() for own in owns}
ENGLISH |= dict.fromkeys(_TRANSLATIONS.values(), PROBE)

KNOWN = {normalize(own): english for own, english in ENGLISH.items()}  # accents are undone before a text is encoded


class Multilingual:
    """Puts a sentence where its English original is."""

    name = "multilingual"

    def encode(self, texts: Sequence[str]) -> Floats:
        return sentence_encoder().encode([KNOWN.get(normalize(text), text) for text in texts])


@pytest.fixture(scope="module")
def scope() -> Scope:
    encoder, concept = Multilingual(), Concept(CONCEPTS[0])
    own = Features.of([row.prompt for row in concept.forget], encoder)
    others = Features.of([*(row.prompt for row in concept.retain), *background_prompts()], encoder)
    classifier = KernelClassifier.fit(encoder, own, others, {})
    return Scope(name="hp", classifier=classifier, threshold=0.25, other_languages="corrupt")


def test_it_reads_the_languages(scope: Scope) -> None:
    assert languages_read(scope.classifier.encoder) >= {"es", "fr", "de", "zh", "hi"}


def test_prompts_are_judged_by_their_content(scope: Scope) -> None:
    for in_scope, known in ((True, FORGET), (False, OTHERS)):
        for english, owns in known.items():
            for text in (english, *owns):
                (verdict,) = detect_in_conversations([text_only(text)], [scope])
                assert verdict.in_scope is in_scope, text
                assert not verdict.languages, text
                assert all(span.reason == "content" for span in verdict.spans), text


def test_the_english_encoder_says_that_it_does_not_read_them(scope: Scope) -> None:
    encoder, concept = sentence_encoder(), Concept(CONCEPTS[0])
    own = Features.of([row.prompt for row in concept.forget], encoder)
    classifier = KernelClassifier.fit(encoder, own, Features.of(background_prompts(), encoder), {})
    english_only = Scope(name="hp", classifier=classifier, threshold=0.25, other_languages="corrupt")
    for text in ENGLISH.keys() - set(_TRANSLATIONS.values()):
        (verdict,) = detect_in_conversations([text_only(text)], [english_only])
        assert verdict.languages, text
        assert any(span.reason == "language" for span in verdict.spans), text
