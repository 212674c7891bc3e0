"""Corruptions towards something: another token's vector, or away from the forget answers. Their arrays are learned.

Both take the selected vectors of one prompt's span, (N, D) float, never written to, and give (N, D) of the same dtype
and device. Both raise `CorruptionError` for another shape and for arrays of another width. Neither is from the paper.
"""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from unlearned.corrupt.coordinates import add, check_vectors, first
from unlearned.errors import ConfigError, CorruptionError

Floats = npt.NDArray[np.float32]

NEAREST = 16
"""A token moves towards one of so many neighbours: near enough to be words of its kind, too many to guess it from."""


def semantic(vectors: Tensor, *, sigma: float, bank: Floats, generator: np.random.Generator) -> Tensor:
    """Move each vector towards that of a plausible other token: e + sigma (v - e).

    Args:
        vectors: (N, D) float; never written to.
        sigma: share of the way, 0..1; at 1 the token is replaced.
        bank: (M, D) vectors of ordinary tokens. v is one of the `NEAREST` that are nearest to e by cosine and not e
            itself; of equally near ones the lower index counts as nearer.
        generator: draws v, for each token on its own.

    Returns:
        (N, D), same dtype and device.

    Raises:
        CorruptionError: sigma is outside 0..1, or the bank does not fit: another width, or nothing but e in it.
    """
    check_vectors(vectors)
    if not 0 <= sigma <= 1:
        raise CorruptionError(f"sigma={sigma:g}: must lie in 0..1, the share of the way to another token's vector.")
    _check_width("bank", bank, vectors)
    tokens = vectors.detach().cpu()
    others = torch.tensor(bank, dtype=tokens.dtype)  # as this model would hold them
    # float64 and rounded: equal cosines must tie on every processor, or the lower index would not decide.
    cosines = (normalize(tokens.double()) @ normalize(others.double()).T).round(decimals=9)
    nearest_first = cosines.argsort(dim=1, descending=True, stable=True).tolist()
    targets = torch.empty_like(tokens, dtype=torch.float64)
    for i, share in enumerate(generator.random(len(tokens))):
        near = list(islice((others[j] for j in nearest_first[i] if not torch.equal(others[j], tokens[i])), NEAREST))
        if not near:
            raise CorruptionError("The bank holds no vector but the token's own. Learn it from more tokens.")
        targets[i] = near[int(share * len(near))]
    return add(vectors, first(vectors, vectors.shape[1]), sigma * (targets - tokens.double()))


def check_bank(bank: Floats) -> None:
    """Refuse what is not (M, D) with M >= 1, with `ConfigError`."""
    if bank.ndim != 2 or not len(bank):
        raise ConfigError(f"bank has the shape {bank.shape}: must be (M, D) with at least one vector.")


def adversarial(vectors: Tensor, *, sigma: float, direction: Floats) -> Tensor:
    """Move every vector one step against the forget answers: e + sigma direction sqrt(D).

    Args:
        vectors: (N, D) float; never written to.
        sigma: root mean square change of a coordinate, in the units of the entries, as with noise of that sigma.
        direction: (D,) of unit length.

    Returns:
        (N, D), same dtype and device.

    Raises:
        CorruptionError: the direction has another width, or the step would overflow the dtype.
    """
    check_vectors(vectors)
    _check_width("direction", direction, vectors)
    width = vectors.shape[1]
    return add(vectors, first(vectors, width), sigma * math.sqrt(width) * torch.tensor(direction, dtype=torch.float64))


def check_direction(direction: Floats) -> None:
    """Refuse what is not (D,) of unit length, with `ConfigError`."""
    if direction.ndim != 1:
        raise ConfigError(f"direction has the shape {direction.shape}: must be (D,).")
    length = float(np.linalg.norm(direction.astype(np.float64)))
    if abs(length - 1) > 1e-3:
        raise ConfigError(f"direction has the length {length:g}: must be 1. Divide by its length.")


def _check_width(name: str, array: Floats, vectors: Tensor) -> None:
    if array.shape[-1] != vectors.shape[1]:
        raise CorruptionError(
            f"The {name} is {array.shape[-1]} wide, but the embeddings have {vectors.shape[1]} coordinates. "
            "Learn it on this model."
        )
