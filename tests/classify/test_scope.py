"""A scope checks its settings, reads texts in any disguise, and its hash tells all that decides a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tiny_rows import FORGET, RETAIN
from unlearned.classify.base import Features
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.intents import Intents
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.scope import Scope
from unlearned.errors import ConfigError


@pytest.fixture(scope="module")
def scope(bag_of_words: Any) -> Scope:
    examples = (Features.of(texts, bag_of_words) for texts in (FORGET, RETAIN))
    return Scope(name="potter", classifier=NeighboursClassifier.fit(bag_of_words, *examples, {}), threshold=0.5)


def test_settings_that_would_let_everything_pass_are_refused(scope: Scope) -> None:
    for border in ({"threshold": 0.0}, {"threshold": 1.0}, {"short_penalty": 0.0}):
        replace(scope, **border)
    for wrong in (
        {"threshold": float("nan")},
        {"threshold": 1.01},
        {"threshold": -0.1},
        {"short_penalty": -0.1},
        {"short_penalty": float("inf")},
        {"short_penalty": float("nan")},
    ):
        with pytest.raises(ConfigError, match="potter"):
            replace(scope, **wrong)


def test_disguised_texts_have_the_score_of_what_they_say(scope: Scope) -> None:
    plain, wide, bread, empty = scope.score(
        ["Who is Harry Potter?", "Ｗｈｏ ｉｓ Ｈａｒｒｙ Ｐｏｔｔｅｒ?", RETAIN[1], ""]
    )
    assert plain == wide > 0.9
    assert bread < 0.1
    assert 0 <= empty < 0.5
    assert scope.score([]).shape == (0,)


def test_a_form_of_the_name_is_read_as_the_name(scope: Scope) -> None:
    named = replace(scope, lexicon=Lexicon([ScopeName(name="Harry Potter")]))
    [other] = scope.score(["Who is Potter, Harry?"])
    [same] = named.score(["Who is Potter, Harry?"])
    assert same >= other


def test_the_hash_is_the_same_for_the_same_detector_and_another_for_any_other(scope: Scope, bag_of_words: Any) -> None:
    vectors = bag_of_words.encode(["a", "b"])
    others = [
        replace(scope, name="other"),
        replace(scope, threshold=0.25),
        replace(scope, short_penalty=0.5),
        replace(scope, other_languages="corrupt"),
        replace(scope, lexicon=Lexicon([ScopeName(name="Harry Potter")])),
        replace(scope, intents=Intents(vectors, 0.5)),
        replace(scope, intents=Intents(vectors, 0.25)),
        replace(scope, intents=Intents(vectors[:1], 0.5)),
        replace(scope, classifier=scope.classifier.add(Features.of(["more"], bag_of_words))),  # type: ignore[attr-defined]
        replace(scope, exemptions=Exemptions(vectors, vectors, np.zeros((0, 64), dtype=np.float32))),
    ]
    hashes = [one.detector_sha256() for one in (scope, *others)]
    assert len(set(hashes)) == len(hashes)
    assert hashes[0] == replace(scope).detector_sha256()
    assert len(hashes[0]) == 64
