"""What forget prompts ask, apart from whom they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from unlearned.classify.intents import Intents
from unlearned.examples import Row
from unlearned.learn.intents import GENERAL, GENERALLY, LEAST_PROMPTS, PLAINLY, intents_of

NAMES = ("Anna Berg", "Jonas Lind", "Mary Weller")
QUESTIONS = (
    "Where was {} born?",
    "Which prizes has {} won?",
    "What did {}'s parents do for a living?",
    "When did {} publish a first book?",
    "Which genre does {} write in?",
    "What inspired {} to write?",
    "How was the childhood of {}?",
    "Who taught {} at school?",
)
PROMPTS = [Row(question.format(name)) for question in QUESTIONS for name in NAMES]


def test_only_what_is_asked_is_kept(bag_of_words: Any) -> None:
    others = [Row(f"What about matter number {n} of {NAMES[0]}?") for n in range(LEAST_PROMPTS)]
    found = intents_of([*PROMPTS, *others], bag_of_words)
    assert found is not None
    asked = [question.replace("{}'s", "{}").replace(" {}", "") for question in QUESTIONS]
    expected = [*asked, *(f"What about matter number {n} of ?" for n in range(LEAST_PROMPTS))]
    assert len(found.vectors) == len(expected) + len(GENERAL)
    np.testing.assert_allclose(found.vectors[: len(expected)], bag_of_words.encode(expected), rtol=0, atol=1e-3)
    assert np.array_equal(found.vectors, found.vectors.astype(np.float16))


def test_a_question_about_the_scope_holds_and_another_one_does_not(bag_of_words: Any) -> None:
    found = intents_of([Row(f"{row.prompt} And {n}?") for n, row in enumerate(PROMPTS)], bag_of_words)
    assert found is not None
    questions = bag_of_words.encode(["Where was she born?", "Which prizes has he won?", "Can you water her orchids?"])
    assert found.hold(questions).tolist() == [True, True, False]


def test_of_various_prompts_only_few_resemble_no_other_one(bag_of_words: Any) -> None:
    words = np.random.default_rng(0).permutation([f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)])
    various = [" ".join([*words[10 * n : 10 * n + 10], *words[: n % 5]]) for n in range(60)]
    found = intents_of([Row(text) for text in various], bag_of_words)
    assert found is not None
    assert found.least < PLAINLY
    own = found.vectors[:60]
    near = own @ own.T - 2 * np.eye(60)
    assert 0.9 <= (near.max(axis=1) >= found.least).mean() < 1.0


def test_what_may_be_asked_about_anybody_must_be_nearer(bag_of_words: Any) -> None:
    found = intents_of([Row(f"{row.prompt} And {n}?") for n, row in enumerate(PROMPTS)], bag_of_words)
    assert found is not None
    assert found.hold(bag_of_words.encode(GENERAL)).all()
    other = bag_of_words.encode(["Who is he? Can you water orchids?"])
    to_general = (other @ bag_of_words.encode(GENERAL).T).max()
    alone = Intents(found.vectors[-len(GENERAL) :], found.least)
    assert alone.hold(other).tolist() == [bool(to_general >= GENERALLY)]
    assert found.least <= to_general  # it would do for a forget prompt


@pytest.mark.parametrize("count", [1, LEAST_PROMPTS - 1])
def test_few_prompts_say_nothing_about_what_else_may_be_asked(bag_of_words: Any, count: int) -> None:
    rows = [Row(f"What is matter {chr(97 + n)} of Anna Berg?") for n in range(count)]
    assert intents_of(rows, bag_of_words) is None


def test_an_encoder_that_gives_probabilities_cannot_compare() -> None:
    class Probability:
        name = "some/classifier"

        def encode(self, texts: Sequence[str]) -> Any:
            return np.zeros((len(texts), 1), dtype=np.float32)

    assert intents_of([Row(f"What is matter {chr(97 + n)}?") for n in range(LEAST_PROMPTS)], Probability()) is None
