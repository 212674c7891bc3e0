"""Corruptions of the order: the selected vectors change places among themselves.

Both take the selected vectors of one prompt's span, (N, D), never written to, and give (N, D). One vector stays where
it is. Both raise `CorruptionError` for another shape.

Source: the code released with Liu et al. 2024, arXiv:2406.07933. There whole sequences are permuted, with chat template
and padding; here what was not selected keeps its place.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unlearned.corrupt.coordinates import check_vectors


def shuffle(vectors: Tensor, *, generator: np.random.Generator) -> Tensor:
    """Put the vectors in a random order, drawn again while nothing would change (unless all vectors are equal)."""
    check_vectors(vectors)
    shuffled = vectors.clone()
    differ = bool((vectors != vectors[:1]).any())
    # Not only the identity: two swapped tokens of the same word leave the prompt as it was, too.
    while differ and torch.equal(shuffled, vectors):
        shuffled = vectors[torch.from_numpy(generator.permutation(len(vectors))).to(vectors.device)]
    return shuffled


def reverse_order(vectors: Tensor) -> Tensor:
    """Put the vectors in reverse order."""
    check_vectors(vectors)
    return vectors.flip(0)
