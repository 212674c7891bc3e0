"""Many scopes as one: the same scores and verdicts as each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from with_words import WithWords

from unlearned.classify.base import Features, Floats
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.joint import JointKernels
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import FEW, ScopeSet
from unlearned.errors import DetectionError
from unlearned.types import Prompt, Verdict, messages_only, text_only

NAMES = [
    "Harry Potter",
    "Frodo Baggins",
    "Ada Lovelace",
    "Anna Berg",
    "Rosa Winter",
    "Ben Stone",
    "Mei Lin",
    "Omar Said",
]
FORMS = ["Who is {}?", "Where was {} born?", "Tell me about the life of {}.", "What did {} write?"]
OTHERS = [
    "What is the capital of France?",
    "How do I bake bread?",
    "Who is the fox?",
    "Is the dog lazy?",
    "Where was Kant born?",
    "?!",
]
TEXTS = [
    *(form.format(name) for form in FORMS for name in NAMES),
    *OTHERS,
    "Does Frodo bake bread in France?",
    "Harry Potter met Ada Lovelace.",
    "A berg in winter is made of ice and stone.",
    "",
    "12345",
    "xylophone quartz",
]


def _kernel(encoder: Any, name: str, **settings: Any) -> KernelClassifier:
    own = Features.of([form.format(name) for form in FORMS], encoder)
    return KernelClassifier.fit(encoder, own, Features.of([*OTHERS, f"Not {name[0]}!"], encoder), settings)


def _without_first_pass(one: KernelClassifier) -> KernelClassifier:
    settings, arrays = one.state()
    kept = {name: array for name, array in arrays.items() if not name.startswith("first")}
    return KernelClassifier.from_state(settings, kept, one.encoder)


@pytest.mark.parametrize("has_words", [True, False])
def test_scores_are_those_of_each_classifier(bag_of_words: Any, has_words: bool) -> None:
    encoder = WithWords(bag_of_words) if has_words else bag_of_words
    own = [_kernel(encoder, name) for name in NAMES]
    bars = [-np.inf, -0.5, 0.0, 0.05, 0.1, 0.2, 0.3]
    classifiers = [_without_first_pass(own[0]), *(one.with_bar(bar) for one, bar in zip(own[1:], bars, strict=True))]
    features = Features.of(TEXTS, encoder)
    found = JointKernels(classifiers).predict_proba(features)
    for row, one in zip(found, classifiers, strict=True):
        assert np.allclose(row, one.predict_proba(features), atol=1e-5)
    assert (found > 0.5).any()
    assert (found < 0.2).any()
    read = np.random.default_rng(0).random(found.shape) < 0.3
    assert np.allclose(JointKernels(classifiers).predict_proba(features, read)[read], found[read], atol=1e-5)


def test_an_example_that_stands_twice_counts_twice(bag_of_words: Any) -> None:
    encoder = WithWords(bag_of_words)
    own = Features.of(["Who is Harry Potter?", "Who is Harry Potter?", "Harry"], encoder)
    one = KernelClassifier.fit(encoder, own, Features.of(OTHERS, encoder), {})
    features = Features.of(TEXTS, encoder)
    assert np.allclose(JointKernels([one, one]).predict_proba(features)[1], one.predict_proba(features), atol=1e-5)


@pytest.fixture(scope="module")
def scopes(bag_of_words: Any) -> list[Scope]:
    """Of all sorts: with names, penalties, exemptions, another config, another encoder, and another classifier."""
    encoder, other = WithWords(bag_of_words), WithWords(bag_of_words)
    forget = ["Who is Omar Said?"]
    found = [
        Scope(
            name=name,
            classifier=_kernel(encoder, name).with_bar(0.05),
            threshold=0.4,
            short_penalty=0.3 * n,
            lexicon=Lexicon([ScopeName(name=name, given=n % 2 == 0)], [name.split()[1].lower()]),
        )
        for n, name in enumerate(NAMES)
    ]
    exempt = Exemptions(*(encoder.encode(texts) for texts in (["Who is Ada Lovelace?"], forget, ["Ada Lovelace"])))
    found[2] = replace(found[2], exemptions=exempt)
    found.append(replace(found[0], name="bolder", classifier=_kernel(encoder, NAMES[0], gamma=3.0)))
    found.append(replace(found[1], name="elsewhere", classifier=_kernel(other, NAMES[1])))
    near = NeighboursClassifier.fit(encoder, Features.of(forget, encoder), Features.of(OTHERS, encoder), {})
    found.append(replace(found[3], name="neighbours", classifier=near))
    return found


def _prompts() -> list[Prompt]:
    chats = [
        [("user", "Who is Harry Potter?"), ("assistant", "A wizard."), ("user", "And where was he born?")],
        [("user", "Tell me about Frodo"), ("assistant", "Baggins? Gladly."), ("user", "How do I bake bread?")],
    ]
    return [*map(text_only, TEXTS), text_only("Woh is Fordo Bagngis?"), *map(messages_only, chats)]


def _joint(verdicts: Sequence[Verdict]) -> Verdict:
    return Verdict(
        tuple(sorted(span for verdict in verdicts for span in verdict.spans)),
        max(verdict.score for verdict in verdicts),
        exempted_by=tuple(sorted(one for verdict in verdicts for one in verdict.exempted_by)),
    )


def test_verdicts_are_those_of_each_scope_by_itself(scopes: list[Scope]) -> None:
    together = ScopeSet(scopes)
    assert [len(rows) for encoder, _ in together.by_encoder for rows, _ in together.joint(encoder)] == [len(NAMES)]
    alone = [[detect_in_conversations([prompt], [scope])[0] for scope in scopes] for prompt in _prompts()]
    for prompt, own in zip(_prompts(), alone, strict=True):
        (found,) = detect_in_conversations([prompt], together)
        expected = _joint(own)
        assert [(s.start, s.end, s.scope) for s in found.spans] == [(s.start, s.end, s.scope) for s in expected.spans]
        assert np.allclose([s.score for s in found.spans], [s.score for s in expected.spans], atol=1e-4)
        assert found.score == pytest.approx(expected.score, abs=1e-4)
        assert found.exempted_by == expected.exempted_by
    assert any(verdict.exempted_by for own in alone for verdict in own)


def test_few_scopes_are_asked_one_by_one(scopes: list[Scope]) -> None:
    together = ScopeSet(scopes[:FEW])
    assert all(not together.joint(encoder) for encoder, _ in together.by_encoder)


def test_it_fails_closed(scopes: list[Scope], monkeypatch: pytest.MonkeyPatch) -> None:
    for result in (RuntimeError("out of memory"), np.full((len(NAMES), 1), np.nan)):

        def scores(self: JointKernels, features: Features, read: Any, result: Any = result) -> Floats:
            if isinstance(result, Exception):
                raise result
            return np.repeat(result, len(features), axis=1)

        monkeypatch.setattr(JointKernels, "predict_proba", scores)
        with pytest.raises(DetectionError):
            detect_in_conversations([text_only("Who is Ada?")], ScopeSet(scopes))
