"""Corruptions of the order: the selected vectors change places among themselves.

Both take the selected vectors of one prompt's span, (N, D), never written to, and give (N, D). Where there is no other
order, as with a single vector, they give zeros: the words would still be there to be read. Both raise `CorruptionError`
for another shape.

Source: the code released with Liu et al. 2024, arXiv:2406.07933. There whole sequences are permuted, with chat template
and padding; here what was not selected keeps its place.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unlearned.corrupt.coordinates import check_vectors


def shuffle(vectors: Tensor, *, generator: np.random.Generator) -> Tensor:
    """Put the vectors in a random order, drawn again while nothing would change; zeros if they are all equal."""
    check_vectors(vectors)
    shuffled = vectors.clone()
    differ = bool((vectors != vectors[:1]).any())
    # Not only the identity: two swapped tokens of the same word leave the prompt as it was, too.
    while differ and torch.equal(shuffled, vectors):
        shuffled = vectors[torch.from_numpy(generator.permutation(len(vectors))).to(vectors.device)]
    return shuffled if differ else torch.zeros_like(vectors)


def reverse_order(vectors: Tensor) -> Tensor:
    """Put the vectors in reverse order; zeros if that is the order they are in."""
    check_vectors(vectors)
    reverse = vectors.flip(0)
    return torch.zeros_like(vectors) if torch.equal(reverse, vectors) else reverse
