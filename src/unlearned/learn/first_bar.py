"""Below what the first pass may leave a text out, so that nothing of the scope is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from unlearned.artifact.schema import FirstPassRecord
from unlearned.classify.base import Features, Floats, PromptClassifier
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.scoring import SUSPICIOUS
from unlearned.classify.windows import MAX_CHARACTERS, windows
from unlearned.examples import evenly
from unlearned.learn.held_out import Texts

HIGHEST = 0.1
"""No bar is above this: half of what the classifier gives a text that detection looks at in parts."""

ROOM = 0.02
"""Below the least likely text that must not be left out."""

MOST = 200
"""Prompts of a fold that are asked about."""


def first_bar(
    texts: Texts, of_others: Mapping[int, PromptClassifier], folds: npt.NDArray[np.int64], threshold: float
) -> FirstPassRecord | None:
    """Choose the bar by classifiers that had not seen the prompts.

    What they find in a forget prompt must pass; and so must the prompt in one window with a general one, which is the
    least that may show of it, where detection would look at its parts.

    Args:
        texts: all prompts.
        of_others: fold -> a classifier of the other folds, whose first pass has no bar yet.
        folds: (N,) the fold of every prompt, forget prompts first.
        threshold: p(forget | text) from which a text is in scope.

    Returns:
        None where the classifiers have no first pass, or find nothing.
    """
    values, general = [np.zeros(0, dtype=np.float32)], [np.zeros(0, dtype=np.float32)]
    others = len(texts.forget) + len(texts.retain)
    for fold, unknowing in of_others.items():
        if not isinstance(unknowing, KernelClassifier) or unknowing.first is None:
            return None
        own = evenly([text for n, text in enumerate(texts.forget) if folds[n] == fold], MOST)
        beside = [text for n, text in enumerate(texts.background) if folds[others + n] == fold]
        alone = list(dict.fromkeys(window for text in own for window in _windows(text)))
        scores, found = _judged(alone, unknowing)
        in_scope = scores >= threshold
        values.append(found[in_scope])
        mixed = _mixed([alone[n] for n in np.flatnonzero(in_scope)], beside)
        scores, found = _judged(mixed, unknowing)
        values.append(found[scores >= SUSPICIOUS * threshold])
        general.append(_judged([window for text in evenly(beside, MOST) for window in _windows(text)], unknowing)[1])
    looked_at, usual = np.concatenate(values), np.concatenate(general)
    if not len(looked_at):
        return None
    bar = min(HIGHEST, float(looked_at.min()) - ROOM)
    return FirstPassRecord(
        bar=bar,
        left=round(float((usual >= bar).mean()), 4) if len(usual) else 1.0,
        looked_at=len(looked_at),
        passed=int((looked_at >= bar).sum()),
    )


def _mixed(own: Sequence[str], beside: Sequence[str]) -> list[str]:
    """Each forget prompt behind a general one, where both fit into one window."""
    pairs = [f"{beside[n % len(beside)]} {text}" for n, text in enumerate(own)] if beside else []
    return [pair for pair in pairs if len("".join(pair.split())) <= MAX_CHARACTERS]


def _windows(text: str) -> list[str]:
    return [text[start:end] for start, end in windows(text, 0, len(text))]


def _judged(texts: Sequence[str], classifier: KernelClassifier) -> tuple[Floats, Floats]:
    """(N,) p(forget | text) and (N,) values of the first pass."""
    features = Features.of(texts, classifier.encoder)
    return classifier.predict_proba(features), classifier.likely(features)
