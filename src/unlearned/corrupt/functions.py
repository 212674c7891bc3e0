"""Corruption functions: pure, on the selected vectors of one prompt. They cannot touch what was not selected.

Letters: N selected tokens, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unlearned.errors import CorruptionError
from unlearned.registry import Registry


def rand_noise_first_n(vectors: Tensor, *, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """Add N(0, sigma^2) noise to the first `dims` coordinates of every token.

    Source: ECO-RN in Liu et al. 2024, arXiv:2406.07933, section 3.1 (`Corrupt(e; sigma)`); the paper uses dims = 1.

    Args:
        vectors: (N, D) float, as the embedding module returns them; never written to.
        sigma: standard deviation, in the units of the entries.
        dims: how many leading coordinates to disturb, 0..D.
        generator: keyed by artifact, scope and span, so that asking twice gives one answer.

    Returns:
        (N, D), same dtype and device.

    Raises:
        CorruptionError: `dims` is outside 0..D, or the noise would overflow the dtype.
    """
    _check(vectors, dims)
    if not 6 * sigma <= torch.finfo(vectors.dtype).max:  # P(|noise| > 6 sigma) = 2e-9; also refuses NaN
        raise CorruptionError(f"sigma={sigma:g} overflows {vectors.dtype}. Load the model in bfloat16 or lower it.")
    # Drawn for this prompt alone and on the CPU: noise drawn for a padded batch on the GPU would change with the
    # neighbours in the batch, so the same question would get another answer under load.
    noise = torch.from_numpy(sigma * generator.standard_normal((len(vectors), dims))).to(vectors.device)
    corrupted = vectors.clone()
    corrupted[:, :dims] = (vectors[:, :dims].double() + noise).to(vectors.dtype)
    return corrupted


def zero_out_top_k(vectors: Tensor, *, dims: int) -> Tensor:
    """Set the `dims` coordinates of largest absolute value to zero, for each token on its own.

    Source: ECO-ZO in Liu et al. 2024, arXiv:2406.07933, section 3.1.

    Args:
        vectors: (N, D) float; never written to.
        dims: how many coordinates, 0..D. Equal values: the lower index goes first.

    Returns:
        (N, D), same dtype and device.

    Raises:
        CorruptionError: `dims` is outside 0..D.
    """
    _check(vectors, dims)
    largest = vectors.abs().argsort(dim=1, descending=True, stable=True)[:, :dims]
    return vectors.scatter(1, largest, 0.0)


def _check(vectors: Tensor, dims: int) -> None:
    if vectors.dim() != 2:
        raise CorruptionError(f"Expected the vectors of one prompt, (N, D), but got {tuple(vectors.shape)}.")
    if not 0 <= dims <= vectors.shape[1]:
        raise CorruptionError(f"dims={dims}, but the embeddings have {vectors.shape[1]} coordinates. Lower it.")


@dataclass(frozen=True, slots=True)
class CorruptionFunction:
    """A function and the parameters it takes besides `dims`."""

    function: Callable[..., Tensor]
    takes_sigma: bool
    takes_generator: bool


corruptions: Registry[CorruptionFunction] = Registry("corruption")
corruptions.register("rand_noise_first_n", CorruptionFunction(rand_noise_first_n, True, True))
corruptions.register("zero_out_top_k", CorruptionFunction(zero_out_top_k, False, False))
