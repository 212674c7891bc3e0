"""The first pass: equal to a dense solution, asked before the encoder, and without any effect on verdicts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from unlearned.classify import detect
from unlearned.classify.base import Features, Floats, ReadsWords
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.first_pass import SPELLING, FirstPass
from unlearned.classify.kernel import KernelClassifier, KernelConfig
from unlearned.classify.ngrams import ngrams
from unlearned.classify.sentences import SentenceEncoder, sentence_encoder
from unlearned.classify.spelling import unit_rows
from unlearned.classify.vector_cache import VECTORS
from unlearned.embedded import MINILM
from unlearned.errors import ConfigError
from unlearned.examples import Row, background_prompts, machine_texts
from unlearned.learn.classifier import fit_classifier, scope_lexicon
from unlearned.learn.config import ClassifierConfig
from unlearned.types import Verdict, text_only
from unlearned.unlearners.eco import ForgetScope

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Harry Potter is a wizard.", "Tell me about Hogwarts magic."]
OTHERS = ["What is the capital of France?", "How do I bake bread?", "Who is the fox?", "Is the dog lazy?", "?!"]


class Counting:
    """An encoder that writes down which texts it was asked to encode."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name, self.asked = inner, inner.name, list[str]()

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return self.inner.encode(texts)

    def word_vectors(self, texts: Sequence[str]) -> Floats:
        found: Floats = self.inner.encode(texts)  # of a bag of words: the same
        return found


def _classifier(encoder: Any) -> KernelClassifier:
    return KernelClassifier.fit(encoder, Features.of(FORGET, encoder), Features.of(OTHERS, encoder), {})


def test_it_is_the_ridge_regression_that_it_says(bag_of_words: Any) -> None:
    classifier = _classifier(Counting(bag_of_words))
    assert classifier.first is not None
    texts = [*FORGET, *OTHERS, *machine_texts()]
    words = bag_of_words.encode(texts).astype(np.float64)
    words -= np.where(words.any(axis=1, keepdims=True), words.mean(axis=0), 0.0)
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-9)
    spelling = unit_rows(ngrams(texts), classifier.grams, classifier.idf).toarray().astype(np.float64)
    labels = np.r_[np.ones(len(FORGET)), np.zeros(len(texts) - len(FORGET))]
    balance = len(OTHERS) / len(FORGET)
    ridge = KernelConfig().ridge / np.where(labels > 0, balance, 1.0)
    duals = np.linalg.solve(words @ words.T + SPELLING * spelling @ spelling.T + np.diag(ridge), labels)
    expected = words @ (words.T @ duals) + SPELLING * spelling @ (spelling.T @ duals)
    found = classifier.first.values(bag_of_words.encode(texts), ngrams(texts), classifier.grams, classifier.idf)
    assert np.allclose(found, expected, atol=1e-4)
    assert found[: len(FORGET)].min() > found[len(FORGET) :].max()


def test_the_encoder_reads_only_what_is_above_the_bar(bag_of_words: Any) -> None:
    encoder = Counting(bag_of_words)
    whole = _classifier(encoder)
    texts = ["Who is Harry Potter?", "How do I bake a cake?", "Hogwarts magic", "Is it raining?"]
    likely = whole.first.values(bag_of_words.encode(texts), ngrams(texts), whole.grams, whole.idf)  # type: ignore[union-attr]
    bar = float(np.sort(likely)[1:3].mean())
    encoder.asked.clear()
    scores = whole.with_bar(bar).predict_proba(Features.of(texts, encoder))
    above = [text for text, value in zip(texts, likely, strict=True) if value >= bar]
    assert sorted(encoder.asked) == sorted(above) == ["Hogwarts magic", "Who is Harry Potter?"]
    every = whole.predict_proba(Features.of(texts, bag_of_words))
    for text, score, full in zip(texts, scores, every, strict=True):
        assert (score == full) if text in above else (score < 0.1), text
    assert whole.first.bar == -np.inf  # type: ignore[union-attr]  # the other one is a copy


def test_nothing_is_left_out_without_word_vectors_or_without_a_bar(bag_of_words: Any) -> None:
    assert not isinstance(bag_of_words, ReadsWords)
    assert _classifier(bag_of_words).first is None
    encoder = Counting(bag_of_words)
    classifier = _classifier(encoder)
    encoder.asked.clear()
    classifier.predict_proba(Features.of(OTHERS, encoder))
    assert encoder.asked == OTHERS
    assert _classifier(bag_of_words).with_bar(0.1).first is None


def test_an_artifact_keeps_it_and_older_ones_have_none(bag_of_words: Any) -> None:
    encoder = Counting(bag_of_words)
    made = _classifier(encoder).with_bar(0.07)
    settings, arrays = made.state()
    loaded = KernelClassifier.from_state(settings, arrays, encoder)
    assert loaded.first is not None
    assert loaded.first.bar == pytest.approx(0.07)
    texts = [*FORGET, "Is it raining?"]
    assert np.array_equal(
        loaded.predict_proba(Features.of(texts, encoder)), made.predict_proba(Features.of(texts, encoder))
    )
    older = {name: array for name, array in arrays.items() if not name.startswith("first_")}
    assert KernelClassifier.from_state(settings, older, encoder).first is None
    with pytest.raises(ConfigError):
        KernelClassifier.from_state(settings, arrays | {"first_spelling": arrays["first_spelling"][1:]}, encoder)
    for bar in (float("nan"), float("inf")):  # everything would be left out
        with pytest.raises(ConfigError, match="bar"):
            KernelClassifier.from_state(settings, arrays | {"first_bar": np.array([bar], np.float32)}, encoder)


def test_a_text_without_words_is_like_no_other() -> None:
    none = FirstPass(np.ones(3, np.float32), np.ones(3, np.float32), np.zeros(0, np.float32))
    found = none.values(np.zeros((1, 3), np.float32), ngrams([""]), np.zeros(0, np.int64), np.zeros(0, np.float32))
    assert found.tolist() == [0.0]


def test_word_vectors_are_means_of_the_encoders_own_embeddings() -> None:
    encoder = sentence_encoder(MINILM)
    assert isinstance(encoder, SentenceEncoder)
    found = encoder.word_vectors(["magic castle", "castle", "magic", ""])
    assert found is not None
    assert np.allclose(found[0], (found[1] + found[2]) / 2, atol=1e-6)
    assert not found[3].any()
    table = encoder.plain.words  # type: ignore[union-attr]
    [token] = encoder.plain.tokenizer("castle", add_special_tokens=False)["input_ids"]  # type: ignore[union-attr]
    assert np.allclose(found[1], table[token].numpy())


@pytest.fixture(scope="module")
def potter() -> ForgetScope:
    """The demo's scope, as `fit` makes it."""
    forget, retain = (_demo(f"harry-potter.{kind}") for kind in ("forget", "retain"))
    rows, close = [Row(text) for text in forget], [Row(text) for text in retain]
    config = ClassifierConfig()
    classifier, calibration = fit_classifier(rows, close, config, lambda *_: None)
    assert calibration.first_pass is not None
    assert calibration.first_pass.passed == calibration.first_pass.looked_at > 40
    assert calibration.first_pass.left < 0.3
    return ForgetScope(
        name="potter",
        classifier=classifier,
        threshold=calibration.threshold,
        short_penalty=calibration.short_penalty,
        lexicon=scope_lexicon(rows, close, config),
        secret=bytes(32),
    )


def _demo(name: str) -> list[str]:
    lines = (files("unlearned.demo") / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["prompt"] for line in lines]


def _long(seed: int, *hidden: str) -> str:
    """Some 2,000 words of general prompts, and these questions among them."""
    rng = np.random.default_rng(seed)
    prompts = [*rng.choice(background_prompts(), size=150, replace=False), *hidden]
    return " ".join(prompts[n] for n in rng.permutation(len(prompts)))


@pytest.mark.slow
@pytest.mark.timeout(900)  # it fits on the real encoder: minutes on a busy machine
def test_no_verdict_changes_and_the_encoder_reads_a_quarter_of_a_long_prompt_at_most(potter: ForgetScope) -> None:
    held_out = _demo("harry-potter.heldout")
    texts = [*held_out, *_demo("harry-potter.retain_heldout"), *_demo("general")]
    texts += [_long(n, *held_out[n::5]) for n in range(3)] + [_long(9)]
    texts += [
        inspect.getsource(detect),
        "\n".join(f"2026-11-{n % 28 + 1:02d} GET /items/{n * 7919:08x} 200 {n}ms id={n * 104729:x}" for n in range(90)),
    ]
    prompts = [text_only(text) for text in texts]
    classifier = potter.classifier
    assert isinstance(classifier, KernelClassifier)
    first = classifier.first
    before = _encoded()
    short = detect_in_conversations(prompts, [potter])
    read = _encoded() - before
    classifier.first = None
    try:
        before = _encoded()
        full = detect_in_conversations(prompts, [potter])
        windows = _encoded() - before
    finally:
        classifier.first = first
    assert [_places(verdict) for verdict in short] == [_places(verdict) for verdict in full]
    assert sum(verdict.in_scope for verdict in full) >= len(held_out)  # there is something to be found
    assert 0 < read <= windows / 4


def _encoded() -> int:
    VECTORS.clear()
    return VECTORS.counts().encoded


def _places(verdict: Verdict) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in verdict.spans]
