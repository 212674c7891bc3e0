"""Choose the decision threshold from scores of examples that the classifier had not seen, and say how sure that is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Floats
from unlearned.errors import FitError

LEAST_THRESHOLD = 0.5
"""Below it a text is nearer to the others than to the forget set. Source: the released code's cut is max(0.5, tau)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """How the threshold was found and how often it errs on the calibration set."""

    method: str
    threshold: float
    forget_count: int
    negative_count: int
    missed: int
    """Forget examples below the threshold."""

    flagged: int
    """Negatives at or above it."""

    fnr_interval: tuple[float, float]
    """Exact (Clopper-Pearson) 95 % interval of the false-negative rate."""

    fpr_interval: tuple[float, float]
    """Exact 95 % interval of the false-positive rate."""

    data_sha256: str
    """Of the calibration texts."""


def calibrate(
    forget: Floats, retain: Floats, background: Floats, *, data_sha256: str, max_fpr: float = 0.005
) -> Calibration:
    """The threshold with the smallest FPR + FNR, within a bound on the FPR of general prompts.

    Source: arXiv:2406.07933, section 3.2. Departures: the sum weighs the forget set against the *close* prompts, which
    are as few; against thousands of general ones it would trade a missed question for dozens of false alarms. General
    prompts, most of what a deployed model is asked, have their own bound instead. The threshold is at least 0.5.

    Args:
        forget: (F,) p(forget | x) of forget examples, each scored as if it had not been enrolled.
        retain: (R,) the same for close prompts that must stay; may be empty.
        background: (N,) the same for general prompts; may be empty if there are retain prompts.
        data_sha256: hash of the texts behind the scores.
        max_fpr: bound on the share of general prompts that are flagged; kept if any threshold below 1 keeps it.

    Returns:
        The record. Of thresholds that err equally often, the middle of the widest gap between scores is taken: a cut
        right above a negative or right below a forget example would fail on the next paraphrase.

    Raises:
        FitError: there are no examples on one of the sides, or a score is not finite.
    """
    negatives = np.concatenate([retain, background])
    if not len(forget) or not len(negatives):
        raise FitError(
            f"Calibration needs both sides, but has {len(forget)} forget and {len(negatives)} other examples."
        )
    if not (np.isfinite(forget).all() and np.isfinite(negatives).all()):
        raise FitError("The classifier gave scores that are not finite; the threshold cannot be calibrated.")
    method = f"min FPR+FNR, FPR <= {max_fpr:g} on general prompts, leave-one-out"
    threshold = _least_errors(forget, retain if len(retain) else background, background, max_fpr)
    if len(forget) == 1:  # its leave-one-out score is that of a classifier without any example
        method, threshold = "default (one forget example)", LEAST_THRESHOLD
    missed, flagged = int((forget < threshold).sum()), int((negatives >= threshold).sum())
    return Calibration(
        method=method,
        threshold=threshold,
        forget_count=len(forget),
        negative_count=len(negatives),
        missed=missed,
        flagged=flagged,
        fnr_interval=exact_interval(missed, len(forget)),
        fpr_interval=exact_interval(flagged, len(negatives)),
        data_sha256=data_sha256,
    )


def _least_errors(forget: Floats, close: Floats, general: Floats, max_fpr: float) -> float:
    scores = np.unique(np.concatenate([forget, close, general]).astype(np.float64))
    edges = np.concatenate([[LEAST_THRESHOLD], scores[scores > LEAST_THRESHOLD], [1.0]])
    cuts = (edges[:-1] + edges[1:]) / 2
    errors = (1.0 - _share_above(forget, cuts)) + _share_above(close, cuts)
    fpr = _share_above(general, cuts) if len(general) else np.zeros_like(cuts)
    allowed = fpr <= max(max_fpr, fpr.min()) + 1e-12  # perhaps no cut keeps the bound
    best = allowed & (errors <= errors[allowed].min() + 1e-12)
    return float(cuts[int(np.where(best, np.diff(edges), -1.0).argmax())])


def _share_above(scores: Floats, cuts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(C,) share of the scores at or above each cut."""
    return 1.0 - np.searchsorted(np.sort(scores), cuts, side="left") / len(scores)


def exact_interval(errors: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a rate."""
    from scipy.stats import binomtest

    interval = binomtest(errors, count).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def texts_sha256(texts: Iterable[str]) -> str:
    """Order-independent hash of a set of texts, so that the data can be named without being published."""
    digests = sorted(hashlib.sha256(text.encode()).digest() for text in texts)
    return hashlib.sha256(b"".join(digests)).hexdigest()
