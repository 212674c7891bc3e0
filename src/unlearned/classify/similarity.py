"""Products of vectors, on the threads that run the encoder and the language model.

NumPy's BLAS has threads of its own. They go on waiting busily for some twenty milliseconds after a product, on the very
cores that the models need next: a decision on a short prompt took three times as long with them, on two cores.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float32]

SMALL = 2**18
"""Multiplications that one thread does before others would have been woken, above all where the cores are busy."""


@torch.inference_mode()
def similarities(left: Floats, right: Floats) -> Floats:
    """(N, D), (M, D) -> (N, M): every row of the one times every row of the other."""
    if left.size * len(right) <= SMALL:
        return np.asarray(np.einsum("nd,md->nm", left, right))  # without BLAS
    found: Floats = (_tensor(left) @ _tensor(right).T).numpy()
    return found


def _tensor(array: Floats) -> torch.Tensor:
    return torch.from_numpy(np.require(array, dtype=np.float32, requirements="W"))  # torch shares no read-only memory
