"""What is worked out for a set of scopes once is what each of them says by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tiny_rows import FORGET, RETAIN
from unlearned.classify.base import Features
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import FEW, ScopeSet


def scope(
    encoder: Any, name: str, *, kernel: bool = False, words: tuple[str, ...] = (), threshold: float = 0.5
) -> Scope:
    examples = (Features.of(texts, encoder) for texts in (FORGET, RETAIN))
    kind: Any = KernelClassifier if kernel else NeighboursClassifier
    lexicon = Lexicon([ScopeName(name=word) for word in words])
    return Scope(name=name, classifier=kind.fit(encoder, *examples, {}), threshold=threshold, lexicon=lexicon)


def test_it_is_a_sequence_of_its_scopes_and_itself_when_asked_for_a_set(bag_of_words: Any) -> None:
    scopes = [scope(bag_of_words, name, threshold=n / 10) for n, name in enumerate("aba")]
    made = ScopeSet.of(scopes)
    assert ScopeSet.of(made) is made
    assert (len(made), list(made), made[1], made[1:]) == (3, scopes, scopes[1], tuple(scopes[1:]))
    assert (made.named("a"), made.named("b")) == ([0, 2], [1])
    np.testing.assert_allclose(made.thresholds, [0.0, 0.1, 0.2])
    assert ScopeSet(scopes).token != made.token
    with pytest.raises(KeyError):
        made.named("c")


def test_an_empty_set_has_nothing() -> None:
    made = ScopeSet([])
    made.ready()
    assert (len(made), made.vocabulary, made.by_encoder, made.said(["Who is Harry Potter?"])) == (0, None, [], {})


def test_scopes_are_grouped_by_the_encoder_object(bag_of_words: Any) -> None:
    other = type(bag_of_words)()
    made = ScopeSet(
        [scope(encoder, name) for encoder, name in ((bag_of_words, "a"), (other, "b"), (bag_of_words, "c"))]
    )
    assert [(encoder is bag_of_words, rows.tolist()) for encoder, rows in made.by_encoder] == [
        (True, [0, 2]),
        (False, [1]),
    ]


def test_what_texts_say_to_a_scope_is_what_its_lexicon_says_and_only_where_that_is_more(bag_of_words: Any) -> None:
    made = ScopeSet([
        scope(bag_of_words, "potter", words=("Harry Potter",)),
        scope(bag_of_words, "plain"),
        scope(bag_of_words, "edison", words=("Thomas Alva Edison",)),
    ])  # fmt: skip
    texts = ["Who is Potter, Harry?", "How do I bake bread?", "Did T. A. Edison meet Harry Potter?", ""]
    said = made.said(texts)
    assert {one: sorted(own) for one, own in said.items()} == {0: [0, 2], 2: [2]}
    for row, own in said.items():
        for n, one in own.items():
            assert one == made[row].lexicon.said(texts[n])


def test_more_than_a_few_kernels_are_asked_as_one_and_others_by_themselves(bag_of_words: Any) -> None:
    kernels = [scope(bag_of_words, f"k{n}", kernel=True) for n in range(FEW + 1)]
    neighbours = scope(bag_of_words, "n")
    [(rows, joint)] = ScopeSet([neighbours, *kernels]).joint(bag_of_words)
    assert rows.tolist() == list(range(1, FEW + 2))
    features = Features.of([*FORGET, *RETAIN, ""], bag_of_words)
    for row, scores in zip(kernels, joint.predict_proba(features), strict=True):
        np.testing.assert_allclose(scores, row.classifier.predict_proba(features), atol=1e-5)
    assert ScopeSet([neighbours, *kernels[:FEW]]).joint(bag_of_words) == []
