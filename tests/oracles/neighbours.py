"""p(forget | x) of the neighbours classifier, one pair of texts at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


def nearest(x: Vector, rows: Sequence[Vector]) -> float:
    """The largest cosine similarity to a row as an artifact keeps it; -1 without rows."""
    return max((float(np.dot(x, row.astype(np.float16).astype(np.float32))) for row in rows), default=-1.0)


def probability(
    x: Vector,
    forget: Sequence[Vector],
    negatives: Sequence[Vector],
    temperature: float = 0.05,
    floor: float = 0.5,
) -> float:
    nearest_other = max(floor, nearest(x, negatives))
    return 1.0 / (1.0 + math.exp(-(nearest(x, forget) - nearest_other) / temperature))
