"""Scores of prompts by classifiers that had not seen them, as detection gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, PromptClassifier
from unlearned.classify.detect import detect
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.normalize import normalize
from unlearned.classify.scope import Scope
from unlearned.learn.whole_names import ShortForm, short_forms, short_penalty
from unlearned.types import text_only

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct prompts as detection reads them."""

    forget: list[str]
    retain: list[str]
    background: list[str]

    @property
    def negatives(self) -> list[str]:
        return self.retain + self.background


def folds_of(texts: Texts) -> npt.NDArray[np.int64]:
    """A fold for every text: each of the three sets is dealt out evenly, in a fixed order."""
    folds = []
    for group in (texts.forget, texts.retain, texts.background):
        order = np.random.default_rng(0).permutation(len(group))
        folds.append(order % FOLDS)
    return np.concatenate(folds)


def peaks(texts: list[str], classifier: PromptClassifier, penalty: float, lexicon: Lexicon) -> Floats:
    """Per prompt the highest p(forget | window), as in detection."""
    least = classifier.least_threshold  # whatever could be flagged is
    trial = Scope(name="trial", classifier=classifier, threshold=least, short_penalty=penalty, lexicon=lexicon)
    verdicts = detect([text_only(text) for text in texts], [trial])
    return np.array([verdict.score for verdict in verdicts], dtype=np.float32)


def penalty_on_short_texts(
    forget: Sequence[str], unseen: Sequence[tuple[PromptClassifier, npt.NDArray[np.int64]]]
) -> float:
    """The scope's penalty on short texts, from those about prompts that a classifier has not seen.

    Args:
        forget: the forget prompts.
        unseen: classifiers, each with the indices of the forget prompts that it has not seen.
    """
    forms = short_forms(forget)
    found: list[ShortForm] = []
    scores = [np.zeros(0, dtype=np.float32)]
    for classifier, prompts in unseen:
        indices = set(prompts.tolist())
        if own := [form for form in forms if form.prompt in indices]:
            found += own
            features = Features.of([normalize(form.text) for form in own], classifier.encoder)
            scores.append(classifier.predict_proba(features))
    return short_penalty(found, np.concatenate(scores))
