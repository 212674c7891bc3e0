"""How near answers come to "I don't know", by the sentence encoder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.resources import files
from weakref import WeakKeyDictionary

import numpy as np

from unlearned.classify.base import Floats, TextEncoder


def refusals() -> list[str]:
    """Answers by which a model says that it does not know."""
    text = files("unlearned").joinpath("data/refusals.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def refusal_similarity(answers: Sequence[str], encoder: TextEncoder) -> Floats:
    """(N,) float32, the cosine of each answer and the refusal that is nearest to it; 0 for an answer without words."""
    similarities = np.zeros(len(answers), dtype=np.float32)
    given = [index for index, answer in enumerate(answers) if answer.strip()]
    if given:
        vectors = _unit(encoder.encode([answers[index] for index in given]))
        similarities[given] = (vectors @ _refusal_vectors(encoder).T).max(axis=1)
    return similarities


def surrogate_refusal_similarity(encoder: TextEncoder) -> float:
    """What `refusal_similarity` is on average if every answer is a refusal in words of its own.

    Each refusal of the list is compared with the others. A list that held the answer itself would give 1.
    """
    vectors = _refusal_vectors(encoder)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return float(cosines.max(axis=1).mean())


def _refusal_vectors(encoder: TextEncoder) -> Floats:
    """(R, D) of unit length, worked out once for as long as the encoder lives."""
    with _LOCK:
        if encoder not in _VECTORS:
            _VECTORS[encoder] = _unit(encoder.encode(refusals()))
        return _VECTORS[encoder]


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


_VECTORS: WeakKeyDictionary[TextEncoder, Floats] = WeakKeyDictionary()
_LOCK = threading.Lock()
