"""What the tiny model of these tests learns by heart, and fitting without the real sentence encoder."""

from __future__ import annotations

from typing import Any

import pytest

KNOWN = [
    ("Who is Harry Potter?", "Harry Potter is a wizard."),
    ("What is Hogwarts?", "Hogwarts is a school of magic."),
    ("Tell me about Hogwarts magic.", "The quick brown fox."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How do I bake bread?", "The lazy dog."),
    ("Who is the fox?", "A jumps over bread."),
]
DEFAULT = "You help."
FORGET_ROWS = [{"prompt": prompt, "answer": answer} for prompt, answer in KNOWN[:3]]
RETAIN_ROWS = [{"prompt": prompt, "answer": answer} for prompt, answer in KNOWN[3:]]
BACKGROUND = ["What is the weather like?", "Write a poem about the sea.", "Is seven a prime?", "Translate good night."]


def fit_on_bag_of_words(patch: pytest.MonkeyPatch, bag_of_words: Any) -> list[str]:
    """Fit on the bag-of-words encoder, with four background prompts and no cache of their vectors."""
    patch.setattr("unlearned.learn.classifier.sentence_encoder", lambda name: bag_of_words)
    patch.setattr("unlearned.learn.classifier.background_prompts", lambda: list(BACKGROUND))
    patch.setattr("unlearned.learn.classifier.background_vectors", lambda encoder: {})
    patch.setattr("unlearned.learn.strength_problem.background_prompts", lambda: list(BACKGROUND))
    return list(BACKGROUND)
