"""Vectors of texts that were checked before: used again for the same owner, bounded, and never another verdict."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unlearned.answers.content import ContentReader
from unlearned.classify import detect as module
from unlearned.classify.base import Features, Floats
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.scope import Scope
from unlearned.classify.sentences import sentence_encoder
from unlearned.classify.vector_cache import OVERHEAD, VectorCache
from unlearned.types import messages_only

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Tell me about Dumbledore."]
OTHERS = ["What is the capital of France?", "How do I bake bread?", "Explain photosynthesis."]
SAID = [
    ("user", "How do I bake bread? I have flour and water."),
    ("assistant", "Mix flour and water. Wait an hour. Bake it."),
    ("user", "Thanks. Who is Harry Potter?"),
    ("assistant", "A wizard."),
    ("user", "What is the capital of France? And where does he go to school?"),
]


class Counting:
    """The real encoder, with a list of what it was asked."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.calls: list[int] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        self.calls.append(len(texts))
        return sentence_encoder().encode(texts)


@pytest.fixture(scope="module")
def scope() -> Scope:
    encoder = sentence_encoder()
    examples = (Features.of(texts, encoder) for texts in (FORGET, OTHERS))
    return Scope(name="hp", classifier=NeighboursClassifier.fit(encoder, *examples, {}), threshold=0.5)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> VectorCache:
    own = VectorCache()
    monkeypatch.setattr(module, "VECTORS", own)
    return own


def test_a_text_is_encoded_once_for_its_owner_and_again_for_another() -> None:
    kept, encoder = VectorCache(), Counting()
    first = kept.encode(encoder, ["a", "b"], {"a": "ann", "b": "ann"})
    again = kept.encode(encoder, ["b", "c", "a"], dict.fromkeys("abc", "ann"))
    assert encoder.asked == ["a", "b", "c"]
    assert np.array_equal(again[[2, 0]], first)
    kept.encode(encoder, ["a"], {"a": "bob"})
    kept.encode(encoder, ["a"], {})
    assert encoder.asked[3:] == ["a", "a"]
    kept.encode(Counting(), ["a"], {})
    counts = kept.counts()
    assert (counts.found, counts.encoded) == (2, 6)
    kept.clear()
    assert kept.counts().size == 0


def test_what_is_kept_is_bounded_and_the_latest_stays() -> None:
    encoder = Counting()
    one = 384 * 4 + OVERHEAD
    kept = VectorCache(most_bytes=3 * one)
    for text in "abcd":
        kept.encode(encoder, [text], {})
    assert kept.counts().size == 3 * one
    kept.encode(encoder, ["b", "d", "e"], {})
    kept.encode(encoder, ["a"], {})
    assert encoder.asked == [*"abcd", "e", "a"]


def test_a_turn_encodes_what_is_new_and_its_verdict_is_that_of_a_fresh_process(
    scope: Scope, kept: VectorCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in range(1, len(SAID) + 1, 2):
        prompt = messages_only(SAID[:turn])
        before = kept.counts().encoded
        (verdict,) = detect_in_conversations([prompt], [scope])
        new = kept.counts().encoded - before
        assert kept.counts().size > 0
        fresh = VectorCache()
        with monkeypatch.context() as patch:
            patch.setattr(module, "VECTORS", fresh)
            (expected,) = detect_in_conversations([prompt], [scope])
        assert [(span.start, span.end) for span in verdict.spans] == [(s.start, s.end) for s in expected.spans]
        assert verdict.score == pytest.approx(expected.score, abs=1e-5)
        assert turn == 1 or new < fresh.counts().encoded
    assert verdict.in_scope


def test_nobody_meets_what_others_have_asked(scope: Scope, kept: VectorCache) -> None:
    prompt = messages_only(SAID[:1])
    detect_in_conversations([replace(prompt, owner="ann")], [scope])
    first = kept.counts().encoded
    detect_in_conversations([replace(prompt, owner="bob")], [scope])
    assert kept.counts().encoded == 2 * first
    detect_in_conversations([replace(prompt, owner="ann")], [scope])
    assert kept.counts().encoded == 2 * first


def test_nor_what_the_answers_to_others_told(scope: Scope, kept: VectorCache) -> None:
    content = ContentReader([scope])
    assert content.read("Harry Potter is a wizard.", asked="Name a wizard.", owner="ann").result()
    first = kept.counts().encoded
    assert content.read("Harry Potter is a wizard.", asked="Name a wizard.", owner="bob").result()
    assert kept.counts().encoded == 2 * first
    assert content.read("Harry Potter is a wizard.", asked="Name a wizard.", owner="ann").result()
    assert kept.counts().encoded == 2 * first


def test_threads_share_it() -> None:
    kept, encoder, failures = VectorCache(most_bytes=40_000), Counting(), list[Any]()
    expected = {str(n): sentence_encoder().encode([str(n)])[0] for n in range(30)}

    def work(start: int) -> None:
        try:
            for n in range(start, start + 60):
                texts = [str((n + k) % 30) for k in range(3)]
                found = kept.encode(encoder, texts, {})
                for text, vector in zip(texts, found, strict=True):
                    assert np.allclose(vector, expected[text], atol=2e-6)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert kept.counts().size <= 40_000
