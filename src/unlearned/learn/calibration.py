"""Choose the decision threshold from scores of examples that the classifier had not seen, and say how sure that is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unlearned.artifact.mistakes import Mistakes
from unlearned.artifact.schema import FirstPassRecord
from unlearned.classify.base import Floats
from unlearned.errors import FitError
from unlearned.metrics.estimate import exact_interval

METHODS = ("errors", "fpr", "conformal")
"""errors: least FPR + FNR within a bound on the FPR of general prompts. fpr: the lowest threshold that keeps the bound
on close and on general prompts. conformal: split conformal prediction at level alpha."""

NEUTRAL = 0.5
"""The threshold of a classifier whose probabilities are right; left only as far as the scores demand it."""


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
    """Hash of the calibration texts."""

    close_count: int | None = None
    """How many negatives are close prompts that must stay; the others are the packaged general ones."""

    close_flagged: int | None = None
    """How many of these are at or above the threshold."""

    mistakes: Mistakes | None = None
    """Which prompts these are, where their words are known."""

    short_penalty: float = 0.0
    """The scores of short texts had so much less log-odds; see `learn.whole_names.short_penalty`."""

    spellings: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Way of spelling -> forget examples missed in it, and how many there were; see `learn.spellings`."""

    first_pass: FirstPassRecord | None = None
    """What the first pass leaves to the encoder; None without one."""


def calibrate(
    forget: Floats,
    retain: Floats,
    background: Floats,
    *,
    data_sha256: str,
    method: str = "errors",
    max_fpr: float = 0.005,
    alpha: float = 0.05,
    least_threshold: float = 0.5,
) -> Calibration:
    """Choose the threshold.

    Method "errors" minimises FPR + FNR (arXiv:2406.07933, section 3.2), with departures: the sum weighs the forget set
    against the *close* prompts, which are as few; against thousands of general ones it would trade a missed question
    for dozens of false alarms. General prompts, most of what a deployed model is asked, have their own bound instead.

    Args:
        forget: (F,) p(forget | x) of forget examples, each scored by a classifier that had not seen it.
        retain: (R,) the same for close prompts that must stay; may be empty.
        background: (N,) the same for general prompts; may be empty if there are retain prompts.
        data_sha256: hash of the texts behind the scores.
        method: one of `METHODS`.
        max_fpr: bound on the share of general prompts (method "fpr": and of close ones) that are flagged; kept if any
            threshold below 1 keeps it.
        alpha: level of the conformal method: at most this share of prompts gets a set without their true label.
        least_threshold: the classifier's; not for the conformal method, whose guarantee it would break.

    Returns:
        The record. Of thresholds whose errors are within one standard error of the least, the one nearest to 1/2 is
        taken (the one-standard-error rule of cross-validation; Hastie, Tibshirani and Friedman 2009, section 7.10).

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
    if method == "conformal":
        name = f"split conformal, alpha {alpha:g}"
        threshold = conformal_threshold(forget, negatives, alpha)
    elif len(forget) == 1:  # its score is that of a classifier without any example
        name, threshold = "default (one forget example)", max(NEUTRAL, least_threshold)
    elif method == "fpr":
        name = f"FPR <= {max_fpr:g}"
        threshold = _lowest_within([group for group in (retain, background) if len(group)], max_fpr, least_threshold)
    else:
        name = f"min FPR+FNR, FPR <= {max_fpr:g} on general prompts"
        threshold = _least_errors(forget, retain if len(retain) else background, background, max_fpr, least_threshold)
    missed, flagged = int((forget < threshold).sum()), int((negatives >= threshold).sum())
    return Calibration(
        method=name,
        threshold=threshold,
        forget_count=len(forget),
        negative_count=len(negatives),
        missed=missed,
        flagged=flagged,
        fnr_interval=exact_interval(missed, len(forget)),
        fpr_interval=exact_interval(flagged, len(negatives)),
        data_sha256=data_sha256,
        close_count=len(retain),
        close_flagged=int((retain >= threshold).sum()),
    )


def conformal_quantile(scores: npt.NDArray[np.float64], alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest of n nonconformity scores; infinite if there are too few of them."""
    rank = int(np.ceil(round((len(scores) + 1) * (1 - alpha), 9)))  # 0.9 * 10 must not become 9.000000000000002
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else float("inf")


def conformal_threshold(forget: Floats, negatives: Floats, alpha: float) -> float:
    """The threshold on p(forget | x) that flags x iff "forget" is in its prediction set.

    Nonconformity is 1 - p(y | x) of the true label; the set of x holds every y with 1 - p(y | x) <= quantile. A set
    with both labels counts as forget, and so does every prompt if there are too few examples for the level.
    """
    scores = np.concatenate([1.0 - forget.astype(np.float64), negatives.astype(np.float64)])
    return float(np.clip(1.0 - conformal_quantile(scores, alpha), 0.0, 1.0))


def _least_errors(forget: Floats, close: Floats, general: Floats, max_fpr: float, least: float) -> float:
    edges, cuts = _cuts(np.concatenate([forget, close, general]), least)
    fnr, close_fpr = 1.0 - _share_above(forget, cuts), _share_above(close, cuts)
    errors = fnr + close_fpr
    fpr = _share_above(general, cuts) if len(general) else np.zeros_like(cuts)
    allowed = fpr <= max(max_fpr, fpr.min()) + 1e-12  # perhaps no cut keeps the bound
    least_at = int(np.where(allowed, errors, np.inf).argmin())
    variance = [rate[least_at] * (1 - rate[least_at]) / n for rate, n in ((fnr, len(forget)), (close_fpr, len(close)))]
    noise = max(float(np.sqrt(sum(variance))), 0.5 / len(forget))  # half an example is no evidence in any case
    best = np.flatnonzero(allowed & (errors <= errors[least_at] + noise + 1e-12))
    for n in best:
        if edges[n] < NEUTRAL < edges[n + 1]:
            return NEUTRAL
    return float(cuts[best[np.abs(cuts[best] - NEUTRAL).argmin()]])


def _lowest_within(groups: Sequence[Floats], max_fpr: float, least: float) -> float:
    """Each group keeps the bound: of few close prompts among thousands of general ones, all could be flagged."""
    _, cuts = _cuts(np.concatenate(groups), least)
    fpr = [_share_above(group, cuts) for group in groups]
    kept = np.all([rate <= max(max_fpr, rate.min()) + 1e-12 for rate in fpr], axis=0)
    return float(cuts[int(kept.argmax())])


def _cuts(scores: Floats, least: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Scores above the least threshold, with both ends, and the middles between them."""
    distinct = np.unique(scores.astype(np.float64))
    edges = np.concatenate([[least], distinct[(distinct > least) & (distinct < 1.0)], [1.0]])
    return edges, (edges[:-1] + edges[1:]) / 2


def _share_above(scores: Floats, cuts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(C,) share of the scores at or above each cut."""
    return 1.0 - np.searchsorted(np.sort(scores), cuts, side="left") / len(scores)


def texts_sha256(texts: Iterable[str]) -> str:
    """Order-independent hash of a set of texts, so that the data can be named without being published."""
    digests = sorted(hashlib.sha256(text.encode()).digest() for text in texts)
    return hashlib.sha256(b"".join(digests)).hexdigest()
