"""Corruptions without chance: chosen coordinates are zeroed, flipped or shifted.

All take the selected vectors of one prompt's span, (N, D) float, never written to, and give (N, D) of the same dtype
and device. `dims` coordinates change, 0..D, for each token on its own; of equal values the lower index goes first.
`sigma` is in the units of the entries. All raise `CorruptionError` for another shape, for `dims` outside 0..D, and
where |entry| + sigma would overflow the dtype.

Source: Liu et al. 2024, arXiv:2406.07933, section 3.1, and the code released with it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unlearned.corrupt.coordinates import add, first, highest, lowest


def zero_out_first_n(vectors: Tensor, *, dims: int) -> Tensor:
    """Set the first coordinates to zero."""
    return vectors.scatter(1, first(vectors, dims), 0.0)


def zero_out_top_k(vectors: Tensor, *, dims: int) -> Tensor:
    """Set the coordinates of largest absolute value to zero. The paper's ECO-ZO."""
    return vectors.scatter(1, highest(vectors.abs(), dims), 0.0)


def flip_sign_first_n(vectors: Tensor, *, dims: int) -> Tensor:
    """Negate the first coordinates."""
    chosen = first(vectors, dims)
    return vectors.scatter(1, chosen, -vectors.gather(1, chosen))


def flip_sign_top_k(vectors: Tensor, *, dims: int) -> Tensor:
    """Negate the coordinates of largest absolute value."""
    chosen = highest(vectors.abs(), dims)
    return vectors.scatter(1, chosen, -vectors.gather(1, chosen))


def add_value_first_n(vectors: Tensor, *, sigma: float, dims: int) -> Tensor:
    """Add `sigma` to the first coordinates."""
    return add(vectors, first(vectors, dims), _value(sigma))


def sub_value_first_n(vectors: Tensor, *, sigma: float, dims: int) -> Tensor:
    """Subtract `sigma` from the first coordinates."""
    return add(vectors, first(vectors, dims), _value(-sigma))


def add_value_least_k(vectors: Tensor, *, sigma: float, dims: int) -> Tensor:
    """Add `sigma` to the lowest coordinates, by signed value."""
    return add(vectors, lowest(vectors, dims), _value(sigma))


def sub_value_top_k(vectors: Tensor, *, sigma: float, dims: int) -> Tensor:
    """Subtract `sigma` from the highest coordinates, by signed value."""
    return add(vectors, highest(vectors, dims), _value(-sigma))


def _value(sigma: float) -> Tensor:
    return torch.tensor(sigma, dtype=torch.float64)
