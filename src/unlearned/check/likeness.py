"""How like are answers to those about subjects that the model cannot know? By a classifier, and by stock phrases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearned.classify.base import Floats, TextEncoder
from unlearned.metrics.estimate import exact_interval
from unlearned.substitution.spelling import TOKEN, has_capital

FOLDS = 5
RIDGE = 1.0
"""Ridge of the classifier, times the number of answers."""

WORDS = 256
"""Hashed words and pairs of words."""

_STOCK = re.compile(
    r"\b(i'?m sorry|i apologi[sz]e|i'?m here to (help|assist)|how can i (help|assist)"
    r"|as an? (ai|text|language|chat|virtual)"
    r"|i (don'?t|do not|can'?t|cannot|am unable to|am not able to) "
    r"(have|provide|assist|help|access|understand|fulfil|answer)"
    r"|any confusion|please provide (me|more)|(let me know|feel free))",
    re.IGNORECASE,
)
OPENING = 4
"""Words."""


@dataclass(frozen=True, slots=True)
class ToldApart:
    """How well a classifier tells two sets of answers apart."""

    accuracy: float
    """Balanced, each answer judged by a classifier that has not seen it nor its partner; 0.5 = chance."""

    interval: tuple[float, float]
    """Exact, 95 %."""


def told_apart(answers: Sequence[str], others: Sequence[str], encoder: TextEncoder) -> ToldApart | None:
    """Tell answers from others, pair by pair of the same question.

    Names and numbers count as one word each: which subject an answer is about must not decide.

    Args:
        answers: N.
        others: N, to the same questions about other subjects.
        encoder: of sentences.

    Returns:
        None for fewer pairs than folds.
    """
    count = len(answers)
    if count < FOLDS:
        return None
    texts = [masked(text) for text in (*answers, *others)]
    features = np.concatenate([encoder.encode(texts), _words(texts), _form(texts)], axis=1).astype(np.float64)
    labels = np.repeat([1.0, -1.0], count)
    pair = np.tile(np.random.default_rng(0).permutation(count) % FOLDS, 2)
    said = np.zeros(2 * count)
    for fold in range(FOLDS):
        known, own = pair != fold, pair == fold
        mean, scale = features[known].mean(axis=0), features[known].std(axis=0) + 1e-6
        x, y = (features[known] - mean) / scale / np.sqrt(features.shape[1]), labels[known]
        kernel = x @ x.T
        weights = np.linalg.solve(kernel + RIDGE * np.trace(kernel) / len(y) * np.eye(len(y)), y)
        said[own] = ((features[own] - mean) / scale / np.sqrt(features.shape[1])) @ x.T @ weights
    right = int((np.sign(said) == labels).sum())
    return ToldApart(right / (2 * count), exact_interval(right, 2 * count))


def masked(text: str) -> str:
    """Names and numbers are replaced; so are the words that only a subject brings along."""
    names = TOKEN.sub(lambda token: "Name" if has_capital(token.group()) and token.start() > 0 else token.group(), text)
    return re.sub(r"\d+", "0", re.sub(r"(Name\W+)+Name", "Name", names))


def canned(prompts: Sequence[str], answers: Sequence[str]) -> list[bool]:
    """Which answers are stock phrases.

    These are an assistant's usual ones, and beginnings that several answers share and that hold no word of their own
    prompt.
    """
    openings = [tuple(re.findall(r"\w+(?:['’]\w+)?", answer.lower())[:OPENING]) for answer in answers]
    counts = Counter(opening for opening in openings if len(opening) == OPENING)
    found = []
    for prompt, answer, opening in zip(prompts, answers, openings, strict=True):
        own = {word for word in re.findall(r"\w+", prompt.lower()) if len(word) > 3}
        shared = counts[opening] >= 3 and not own & set(opening)
        found.append(bool(_STOCK.search(answer[:200])) or shared)
    return found


def _words(texts: Sequence[str]) -> Floats:
    import zlib

    found = np.zeros((len(texts), WORDS), dtype=np.float32)
    for row, text in enumerate(texts):
        words = re.findall(r"\w+(?:['’]\w+)?", text.lower())
        for piece in (*words, *(" ".join(pair) for pair in zip(words, words[1:], strict=False))):
            found[row, zlib.crc32(piece.encode()) % WORDS] += 1
    return np.sqrt(found)


def _form(texts: Sequence[str]) -> Floats:
    rows = []
    for text in texts:
        words = text.split()
        rows.append([len(words), len(set(words)) / max(1, len(words)), text.count("Name"), text.count("0"), len(text)])
    return np.array(rows, dtype=np.float32)
