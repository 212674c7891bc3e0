"""Messages in which nothing is near a scope are read once, and never make another verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from unlearned.classify.base import Features, Floats
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.sentences import sentence_encoder
from unlearned.classify.unsuspicious import Unsuspicious
from unlearned.types import messages_only

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Tell me about Dumbledore."]
OTHERS = ["What is the capital of France?", "How do I bake bread?", "Explain photosynthesis."]
SAID = [
    ("user", "How do I bake bread? I have flour and water and a large oven, and nobody to help me with it at all."),
    (
        "assistant",
        "Mix flour and water, and knead for ten minutes. Wait an hour. Bake it while the oven is hot enough.",
    ),
    ("user", "Thanks a lot for this fine answer. Who is Harry Potter, and which school does he go to in the books?"),
    ("assistant", "A wizard of whom many people have heard, though I would rather talk about bread and ovens."),
    ("user", "What is the capital of France? And where did he go to school before he went to the castle?"),
    ("assistant", "Paris is the capital of France, and has been for a long time, with a few interruptions."),
    ("user", "Was ist die Hauptstadt von Österreich, und wie viele Einwohner hat diese Stadt heute ungefähr?"),
    ("user", "Explain photosynthesis in a few words, please, and do not forget what light has to do with it."),
]


class Reading:
    """The real encoder, with a list of what it was asked."""

    name = "reading"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return sentence_encoder().encode(texts)


@pytest.fixture(scope="module")
def scope() -> Scope:
    encoder = Reading()
    own: Any = NeighboursClassifier.fit(encoder, Features.of(FORGET, encoder), Features.of(OTHERS, encoder), {})
    return Scope(name="potter", classifier=own, threshold=0.6)


def test_every_turn_has_the_verdict_of_the_whole_conversation(scope: Scope) -> None:
    scopes = ScopeSet([scope])
    flagged = set()
    for turn in range(1, len(SAID) + 1):
        prompt = messages_only(SAID[:turn])
        (found,) = detect_in_conversations([prompt], scopes)
        (fresh,) = detect_in_conversations([prompt], [scope])
        assert [(s.start, s.end, s.reason) for s in found.spans] == [(s.start, s.end, s.reason) for s in fresh.spans]
        assert found.languages == fresh.languages
        assert found.score == pytest.approx(fresh.score, abs=1e-5)
        flagged.add(found.in_scope)
    assert flagged == {False, True}


def test_a_message_is_read_once_for_its_owner(scope: Scope) -> None:
    encoder: Any = scope.classifier.encoder
    scopes = ScopeSet([scope])
    for owner, read in [("a", True), ("a", False), ("b", True), ("", True), ("a", False)]:
        encoder.asked.clear()
        detect_in_conversations([replace(messages_only(SAID[:2]), owner=owner)], scopes)
        assert bool(encoder.asked) == read, owner


def test_what_is_flagged_is_read_again(scope: Scope) -> None:
    scopes = ScopeSet([scope])
    for _ in range(2):
        (verdict,) = detect_in_conversations([messages_only(SAID[2:3])], scopes)
        assert verdict.in_scope


def test_quoted_and_written_messages_are_told_apart_and_the_oldest_go_first() -> None:
    kept = Unsuspicious(most=2)
    keys = [kept.key(b"s", "a", "hi", quoted=quoted) for quoted in (False, True)]
    keys.append(kept.key(b"s", "ah", "i", quoted=False))
    assert len({*keys, kept.key(b"t", "a", "hi", quoted=False)}) == 4
    for key in keys[:2]:
        kept.add(key, 0.1)
    assert kept.score(keys[0]) == 0.1  # used last
    kept.add(keys[2], 0.2)
    assert [kept.score(key) for key in keys] == [0.1, None, 0.2]
