"""Character n-grams weighted by how telling they are: the half of the kernel classifier that looks at spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Floats
from unlearned.classify.ngrams import NGrams

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Ints = npt.NDArray[np.int64]


def unit_rows(found: NGrams, grams: Ints, idf: Floats) -> csr_matrix:
    """(N, G) known n-grams of every text, weighted by idf, each row of unit length (or empty).

    Args:
        found: n-grams of N texts.
        grams: (G,) those that are known, ascending.
        idf: (G,) their inverse document frequencies.
    """
    from scipy.sparse import csr_matrix

    rows, columns = known_grams(found, grams)
    values = idf[columns]
    norms = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(found)))
    starts = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=len(found)), out=starts[1:])
    return csr_matrix((values / norms[rows].astype(np.float32), columns, starts), shape=(len(found), len(grams)))


def product(found: NGrams, grams: Ints, idf: Floats, weights: Floats) -> Floats:
    """(N,) the product of `unit_rows` and the (G,) weights, without the bookkeeping of a sparse matrix."""
    rows, columns = known_grams(found, grams)
    values = idf[columns]
    products = np.bincount(rows, weights=values * weights[columns], minlength=len(found))
    norms = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(found)))
    return np.divide(products, norms, out=np.zeros(len(found)), where=norms > 0).astype(np.float32)


def known_grams(found: NGrams, grams: Ints) -> tuple[Ints, Ints]:
    """(M,) texts, ascending, and (M,) columns of those n-grams that are among `grams`, which ascend."""
    columns = np.searchsorted(grams, found.ids)
    known = columns < len(grams)
    known[known] = grams[columns[known]] == found.ids[known]
    return found.rows[known], columns[known]
