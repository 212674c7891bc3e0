"""How similar is the nearest of very many unit vectors? A matrix product while that is fast enough, then faiss.

faiss ranks four-bit codes of the rows in the lists (cells of a k-means) nearest to a query; the best are compared again
with the stored vectors. So a similarity is always that of a real row and never too high; it is too low if the nearest
row stands in a list that was not read. See `benchmarks/index` for how often that is.
"""

from __future__ import annotations

import copy
import math
import threading
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Floats, as_saved
from unlearned.classify.similarity import similarities
from unlearned.errors import ConfigError
from unlearned.extras import require

Half = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EXACT_ROWS = 20_000
"""Up to here the product of all rows with a query takes milliseconds, and no index is as fast to make."""

CANDIDATES = 128
"""Rows compared exactly, of those that faiss ranks first: four-bit codes confuse the very nearest ones."""

FINE_BELOW = 128
"""Narrower vectors get four bits per dimension: 32 bits in all put 4 % of the nearest rows behind the candidates."""

MOST_REMOVED = 0.1
"""Share of an index's rows that may be masked before it is made anew from the remaining ones."""

SEED, ROUNDS, SAMPLE = 1, 8, 64  # of the k-means: rounds, and rows per list that it looks at
BATCH, SLICE = 256, 65_536  # queries, and rows, that are widened to float32 at a time
SAME = 1e-3  # distance of two float16 roundings of one unit vector: 5e-4 each


class NearestIndex:
    """Unit vectors in a fixed order, and the similarity of the nearest one to a query. Never changes once made.

    Args:
        vectors: (N, D) of unit length, N may be 0; kept in float16, like in an artifact.
        probed: share of the lists that a search reads, in 0..1; 1 reads all. Only matters above `EXACT_ROWS` rows.

    Raises:
        MissingExtraError: there are more than `EXACT_ROWS` rows, and faiss is not installed.
    """

    def __init__(self, vectors: Floats | Half, *, probed: float) -> None:
        if vectors.ndim != 2:
            raise ConfigError(f"The vectors have the shape {vectors.shape}; (N, D) is needed.")
        if not 0 < probed <= 1:
            raise ConfigError(f"probed={probed}: a share of the lists lies in 0..1. Use, for example, 0.25.")
        stored = vectors.astype(np.float16)
        self.probed = probed
        self._block = _Block(stored) if len(stored) > EXACT_ROWS else None
        self._kept: Bools | None = None  # (rows of the block,); None = all
        self._tail = stored[:0] if self._block else stored  # rows that are compared one by one
        self._wide = self._tail.astype(np.float32)

    def __len__(self) -> int:
        return self._block_length + len(self._tail)

    @property
    def width(self) -> int:
        """D, the width of the vectors."""
        return int(self._tail.shape[1])

    @property
    def vectors(self) -> Half:
        """(N, D) as stored."""
        if self._block is None:
            return self._tail
        rows = self._block.vectors if self._kept is None else self._block.vectors[self._kept]
        return np.concatenate([rows, self._tail]) if len(self._tail) else rows

    @property
    def index_bytes(self) -> int:
        """Size of the faiss index, which is made if need be; 0 where the search is exact."""
        return self._block.size() if self._block else 0

    def build(self) -> NearestIndex:
        """Make the faiss index now (a minute or two for a million rows) and not at the first search. Deterministic."""
        if self._block:
            self._block.index()
        return self

    def nearest(self, queries: Floats) -> Floats:
        """(Q, D) unit vectors -> (Q,) float32 cosine similarity to the nearest row; -1 if there are no rows."""
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        found = np.full(len(queries), -1.0, dtype=np.float32)
        for start in range(0, len(queries), BATCH):
            batch, best = queries[start : start + BATCH], found[start : start + BATCH]
            if len(self._wide):
                np.maximum(best, similarities(batch, self._wide).max(axis=1), out=best)
            if self._block:
                np.maximum(best, self._block.nearest(batch, self.probed, self._kept), out=best)
        return found

    def plus(self, vectors: Floats | Half) -> NearestIndex:
        """Append (M, D) rows. This takes milliseconds until `EXACT_ROWS` rows came after the index was made.

        Raises:
            ConfigError: the rows have another width.
        """
        self._check_width(vectors)
        more = vectors.astype(np.float16)
        if len(self._tail) + len(more) > EXACT_ROWS:
            return NearestIndex(np.concatenate([self.vectors, more]), probed=self.probed)
        tail = np.concatenate([self._tail, more])
        return self._with(self._kept, tail)

    def minus(self, rows: Ints) -> NearestIndex:
        """Remove the rows with these indices. This takes milliseconds until a tenth of an index is removed.

        Raises:
            ConfigError: there is no such row.
        """
        if (wrong := rows[(rows < 0) | (rows >= len(self))]).size:
            raise ConfigError(f"There is no example with index {wrong[0]}, only 0 to {len(self) - 1}.")
        keep = np.ones(len(self), dtype=np.bool_)
        keep[rows] = False
        split = self._block_length
        tail = self._tail[keep[split:]]
        if self._block is None or keep[:split].all():
            return self._with(self._kept, tail)
        kept = np.ones(len(self._block.vectors), dtype=np.bool_) if self._kept is None else self._kept.copy()
        kept[np.flatnonzero(kept)[~keep[:split]]] = False
        if keep.sum() <= EXACT_ROWS or kept.mean() < 1 - MOST_REMOVED:
            return NearestIndex(self.vectors[keep], probed=self.probed)
        return self._with(kept, tail)

    def places(self, vectors: Floats | Half) -> list[Ints]:
        """For each of (M, D) vectors, the indices of all rows that equal it up to the rounding to float16.

        Raises:
            ConfigError: the vectors have another width.
        """
        self._check_width(vectors)
        wanted, stored = as_saved(vectors.astype(np.float32)), self.vectors
        pairs = [np.zeros((0, 2), dtype=np.int64)]
        for start in range(0, len(stored), SLICE):
            rows = stored[start : start + SLICE].astype(np.float32)
            near = np.argwhere(wanted @ rows.T > 0.999)  # a product cannot tell distances this small apart
            distances = np.linalg.norm(wanted[near[:, 0]] - rows[near[:, 1]], axis=1)
            pairs.append(near[distances <= SAME] + [0, start])
        found = np.concatenate(pairs)
        return [found[found[:, 0] == i, 1] for i in range(len(wanted))]

    @property
    def _block_length(self) -> int:
        if self._block is None:
            return 0
        return len(self._block.vectors) if self._kept is None else int(self._kept.sum())

    def _check_width(self, vectors: Floats | Half) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise ConfigError(f"The vectors have the shape {vectors.shape}; (N, {self.width}) is needed.")

    def _with(self, kept: Bools | None, tail: Half) -> NearestIndex:
        changed = copy.copy(self)  # shares the block, made or not
        changed._kept, changed._tail, changed._wide = kept, tail, tail.astype(np.float32)
        return changed


class _Block:
    """More rows than can be compared one by one, and their faiss index, made when it is first needed."""

    def __init__(self, vectors: Half) -> None:
        self.vectors = vectors
        self._faiss = _import_faiss()  # missing: said here, not when a prompt is to be classified
        self._index: Any = None
        self._lock = threading.Lock()

    def index(self) -> Any:
        with self._lock:
            if self._index is None:
                self._index = _build(self._faiss, self.vectors)
            return self._index

    def size(self) -> int:
        return len(self._faiss.serialize_index(self.index()))

    def nearest(self, queries: Floats, probed: float, kept: Bools | None) -> Floats:
        """(Q, D) -> (Q,) similarity of the nearest row found among the kept ones; -1 if there is none."""
        index = self.index()
        settings: dict[str, Any] = {"nprobe": math.ceil(probed * index.nlist)}
        if kept is not None:
            settings["sel"] = self._faiss.IDSelectorBitmap(np.packbits(kept, bitorder="little"))
        _, rows = index.search(queries, CANDIDATES, params=self._faiss.SearchParametersIVF(**settings))
        best = np.empty(len(queries), dtype=np.float32)
        for number, (query, own) in enumerate(zip(queries, rows, strict=True)):
            own = own[own >= 0]  # -1 fills up where fewer rows were found
            best[number] = (self.vectors[own].astype(np.float32) @ query).max(initial=-1.0)
        return best


def _build(faiss: Any, vectors: Half) -> Any:
    """An inverted file of 2 sqrt(N) lists, with four bits for every two dimensions, or for each of few."""
    count, width = vectors.shape
    lists = round(2 * math.sqrt(count))
    order = np.random.default_rng(SEED).permutation(count)
    sample = vectors[np.sort(order[: SAMPLE * lists])].astype(np.float32)
    centres = faiss.Kmeans(
        width,
        lists,
        niter=ROUNDS,
        seed=SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE,
    )
    centres.train(sample)
    quantiser = faiss.IndexFlatIP(width)
    quantiser.add(centres.centroids)
    parts = width // 2 if width >= FINE_BELOW and width % 2 == 0 else width
    index = faiss.IndexIVFPQFastScan(quantiser, width, lists, parts, 4, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.seed = SEED
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(
        1
    )  # hundreds of tiny k-means: beside other work, threads would mostly wait for each other
    try:
        index.train(sample)
    finally:
        faiss.omp_set_num_threads(threads)
    for start in range(0, count, SLICE):
        index.add(vectors[start : start + SLICE].astype(np.float32))
    return index


def _import_faiss() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its SWIG types, on newer Pythons
        return require("faiss", extra="index", purpose=f"Searching more than {EXACT_ROWS} examples")
