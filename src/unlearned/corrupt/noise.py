"""Corruptions by N(0, sigma^2) noise, independent for each token and coordinate.

All take the selected vectors of one prompt's span, (N, D) float, never written to, and give (N, D) of the same dtype
and device. `sigma` is in the units of the entries, `dims` in 0..D; `generator` is keyed by artifact, scope and words,
so that asking twice gives one answer. All raise `CorruptionError` for another shape, for `dims` outside 0..D, and for
a sigma whose noise would overflow the dtype.

Source: Liu et al. 2024, arXiv:2406.07933, section 3.1 (`Corrupt(e; sigma)`), and the code released with it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unlearned.corrupt.coordinates import add, first, highest
from unlearned.errors import CorruptionError


def rand_noise_first_n(vectors: Tensor, *, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """Add noise to the first `dims` coordinates. The paper's ECO-RN is dims = 1."""
    chosen = first(vectors, dims)
    return add(vectors, chosen, _noise(vectors, sigma, dims, generator))


def rand_noise_rand_n(vectors: Tensor, *, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """Add noise to `dims` random coordinates, the same ones for all tokens of the call."""
    positions = first(vectors, dims)
    at_random = torch.from_numpy(generator.permutation(vectors.shape[1])).to(vectors.device)
    chosen = at_random[positions]
    return add(vectors, chosen, _noise(vectors, sigma, dims, generator))


def rand_noise_top_k(vectors: Tensor, *, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """Add noise to the `dims` coordinates of largest absolute value of each token."""
    chosen = highest(vectors.abs(), dims)
    return add(vectors, chosen, _noise(vectors, sigma, dims, generator))


def set_rand_noise_first_n(vectors: Tensor, *, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """Put noise in the place of the first `dims` coordinates. The released code also zeroes those of other tokens."""
    chosen = first(vectors, dims)
    return vectors.scatter(1, chosen, _noise(vectors, sigma, dims, generator).to(vectors))


def _noise(vectors: Tensor, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """(N, k) float64 on the CPU."""
    if not 6 * sigma <= torch.finfo(vectors.dtype).max:  # P(|noise| > 6 sigma) = 2e-9; also refuses NaN
        raise CorruptionError(f"sigma={sigma:g} overflows {vectors.dtype}. Load the model in bfloat16 or lower it.")
    # Drawn for this prompt alone and on the CPU: noise drawn for a padded batch on the GPU would change with the
    # neighbours in the batch, so the same question would get another answer under load.
    return torch.from_numpy(sigma * generator.standard_normal((len(vectors), dims)))


def entity_substitution(vectors: Tensor, *, sigma: float, dims: int, generator: np.random.Generator) -> Tensor:
    """What is left of the default corruption for vectors: noise on words beside a stranger's (`rand_noise_first_n`).

    The strangers themselves are put in before, by `unlearned.unlearners.substituting`. Not from the paper.
    """
    return rand_noise_first_n(vectors, sigma=sigma, dims=dims, generator=generator)
