"""Which coordinates of each vector a corruption changes, and how one is added to.

Letters: N selected tokens, D embedding width, k changed coordinates (`dims`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from unlearned.errors import CorruptionError


def check_vectors(vectors: Tensor) -> None:
    """Refuse anything but (N, D)."""
    if vectors.dim() != 2:
        raise CorruptionError(f"Expected the vectors of one prompt, (N, D), but got {tuple(vectors.shape)}.")


def first(vectors: Tensor, dims: int) -> Tensor:
    """(N, D) -> (N, k) int64: the leading coordinates."""
    _check(vectors, dims)
    return torch.arange(dims, device=vectors.device).expand(len(vectors), dims)


def highest(values: Tensor, dims: int) -> Tensor:
    """(N, D) -> (N, k) int64: the coordinates of the highest values, highest first; of equal ones the lower index."""
    _check(values, dims)
    return values.argsort(dim=1, descending=True, stable=True)[:, :dims]


def lowest(values: Tensor, dims: int) -> Tensor:
    """(N, D) -> (N, k) int64: the coordinates of the lowest values, lowest first; of equal ones the lower index."""
    _check(values, dims)
    return values.argsort(dim=1, stable=True)[:, :dims]


def add(vectors: Tensor, chosen: Tensor, change: Tensor) -> Tensor:
    """Add to the chosen coordinates in float64, rounded once; adding zero changes no bit, not even of -0.0.

    Args:
        vectors: (N, D) float; never written to.
        chosen: (N, k) int64.
        change: (N, k) float64, or what broadcasts to it, on any device.

    Returns:
        (N, D), same dtype and device.

    Raises:
        CorruptionError: an entry and its change together overflow the dtype.
    """
    before = vectors.gather(1, chosen)
    change = change.to(vectors.device).expand(before.shape)
    if not (before.double().abs() + change.abs()).to(vectors.dtype).isfinite().all():
        raise CorruptionError(
            f"Adding up to {float(change.abs().max()):g} to embeddings of up to {float(before.abs().max()):g} "
            f"overflows {vectors.dtype}. Load the model in bfloat16 or lower the strength."
        )
    after = (before.double() + change).to(vectors.dtype)
    return vectors.scatter(1, chosen, torch.where(change == 0, before, after))


def _check(vectors: Tensor, dims: int) -> None:
    check_vectors(vectors)
    if not 0 <= dims <= vectors.shape[1]:
        raise CorruptionError(f"dims={dims}, but the embeddings have {vectors.shape[1]} coordinates. Lower it.")
