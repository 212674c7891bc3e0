"""p(forget | x) of the neighbours classifier, one pair of texts at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def probability(
    x: npt.NDArray[np.float32],
    forget: Sequence[npt.NDArray[np.float32]],
    negatives: Sequence[npt.NDArray[np.float32]],
    temperature: float = 0.05,
    floor: float = 0.5,
) -> float:
    nearest_forget = max((float(np.dot(x, f)) for f in forget), default=-1.0)
    nearest_other = max([floor, *(float(np.dot(x, n)) for n in negatives)])
    return 1.0 / (1.0 + math.exp(-(nearest_forget - nearest_other) / temperature))


def leave_one_out(
    forget: Vectors, negatives: Vectors, temperature: float = 0.05, floor: float = 0.5
) -> tuple[list[float], list[float]]:
    """Scores of the classifier's own examples, each under a classifier that is built without it."""
    scores_forget = [
        probability(forget[i], [f for j, f in enumerate(forget) if j != i], list(negatives), temperature, floor)
        for i in range(len(forget))
    ]
    scores_negatives = [
        probability(negatives[i], list(forget), [n for j, n in enumerate(negatives) if j != i], temperature, floor)
        for i in range(len(negatives))
    ]
    return scores_forget, scores_negatives
