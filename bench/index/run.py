"""Measure the search among very many examples on made-up vectors, and how long a few hundred prompts take to enrol."""

from __future__ import annotations

import platform
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats
from unlearned.classify.index import SLICE, Half, NearestIndex
from unlearned.classify.neighbours import (
    PROBED,
    NeighboursClassifier,
    NeighboursConfig,
)
from unlearned.classify.sentences import sentence_encoder
from unlearned.examples import background_prompts
from unlearned.progress import Progress

PER_CLUSTER = 20
EXACT = 1e-5  # of a cosine: as near as the nearest row


@dataclass(frozen=True, slots=True)
class Search:
    """Single queries against the index, with the share of its lists that the classifier reads."""

    probed: float
    median_ms: float
    p95_ms: float
    recall: float
    """Share of queries for which the nearest row was found, of those that have a row above the classifier's floor."""

    recall_all: float
    """Recall over all queries; below the floor, no neighbour changes a verdict."""

    largest_loss: float
    """The most that a similarity above the floor came out too low."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What `measure_index` found."""

    machine: str
    faiss: str
    count: int
    width: int
    queries: int
    """A third are paraphrases of rows, a third new members of clusters, a third unrelated texts."""

    queries_above_floor: int
    build_seconds: float
    search: Search
    add_ms: float
    """To add 400 rows."""

    vectors_mb: float
    index_mb: float
    """faiss, beside the vectors."""

    peak_memory_mb: float
    """Peak memory of the process, with the made-up vectors."""


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """Seconds to add prompts to a classifier that holds the packaged general prompts."""

    prompts: int
    encode_seconds: float
    add_seconds: float

    @property
    def seconds(self) -> float:
        return self.encode_seconds + self.add_seconds


def measure_index(
    count: int = 1_000_000,
    *,
    width: int = 384,
    queries: int = 600,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> IndexReport:
    """Build an index of `count` made-up sentence vectors and compare its answers with the exact ones.

    Raises:
        MissingExtraError: faiss is not installed, and there are too many rows for an exact search.
    """
    report = on_progress or (lambda phase, done, total: None)
    report("vectors", 0, 1)
    source = SentenceLike(count, width, seed)
    rows, asked = source.rows(), source.queries(queries)
    report("vectors", 1, 1)
    report("exact answers", 0, 1)
    exact = _exact(rows, asked)
    report("exact answers", 1, 1)
    report("index", 0, 1)
    start = time.perf_counter()
    index = NearestIndex(rows, probed=PROBED).build()
    build_seconds = time.perf_counter() - start
    report("index", 1, 1)
    report("search", 0, 1)
    found = _search(index, asked, exact)
    report("search", 1, 1)
    more = source.rows()[:400]
    start = time.perf_counter()
    index.plus(more)
    add_ms = 1000 * (time.perf_counter() - start)
    return IndexReport(
        machine=f"{platform.processor() or platform.machine()}, {sys.platform}",
        faiss=_faiss_version(),
        count=count,
        width=width,
        queries=len(asked),
        queries_above_floor=int((exact >= NeighboursConfig().floor).sum()),
        build_seconds=build_seconds,
        search=found,
        add_ms=add_ms,
        vectors_mb=rows.nbytes / 2**20,
        index_mb=index.index_bytes / 2**20,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / (1024 if sys.platform == "linux" else 2**20),
    )


def measure_enrolment(prompts: int = 400) -> EnrolmentReport:
    """Seconds to encode prompts with the packaged encoder and to add them to the forget side."""
    encoder = sentence_encoder()
    general = background_prompts()
    texts = [f"{general[n % len(general)]} (variant {n // len(general)})" for n in range(prompts)]
    before = Features.of(["warm up"], encoder)
    classifier = NeighboursClassifier.fit(encoder, before, Features.of(general[:200], encoder), {})
    start = time.perf_counter()
    features = Features.of(texts, encoder)
    encoded = time.perf_counter()
    classifier.add(features)
    return EnrolmentReport(prompts, encoded - start, time.perf_counter() - encoded)


class SentenceLike:
    """Seeded unit vectors that lie like sentence embeddings; the constants were fitted to MiniLM on general prompts.

    Unrelated texts have cosines of 0.06 +- 0.08: a common direction of length 0.25, and variances that fall with the
    square root of the rank. Twenty texts, more or less, share a topic, with cosines between 0.4 and 0.9.
    """

    def __init__(self, count: int, width: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        spread = (1 + np.arange(width, dtype=np.float32)) ** np.float32(-0.25)
        self._spread: Floats = spread / np.linalg.norm(spread)
        self._count, self._width = count, width
        topics = max(count // PER_CLUSTER, 1)
        self._topics = self._unrelated(topics)
        self._tightness: Floats = self._rng.uniform(0.4, 0.9, (topics, 1)).astype(np.float32)
        self._members: npt.NDArray[np.int64] = self._rng.integers(0, topics, count)
        self._rows: Half | None = None

    def rows(self) -> Half:
        """(count, width); the same at every call."""
        if self._rows is None:
            rows = np.empty((self._count, self._width), dtype=np.float16)
            for start in range(0, self._count, SLICE):
                topics = self._members[start : start + SLICE]
                rows[start : start + SLICE] = self._near(self._topics[topics], self._tightness[topics])
            self._rows = rows
        return self._rows

    def queries(self, count: int) -> Floats:
        """(about `count`, width): paraphrases of rows (cosine 0.9), new members of topics, and unrelated texts."""
        third = max(count // 3, 1)
        rows = self.rows()[self._rng.integers(0, self._count, third)].astype(np.float32)
        topics = self._rng.integers(0, len(self._topics), third)
        members = self._near(self._topics[topics], self._tightness[topics])
        return np.concatenate([self._near(rows, np.float32(0.8)), members, self._unrelated(third)])

    def _unrelated(self, count: int) -> Floats:
        vectors = self._noise(count)
        vectors[:, 0] += 0.25
        return _unit(vectors)

    def _near(self, vectors: Floats, share: Floats | np.float32) -> Floats:
        return _unit(np.sqrt(share) * vectors + np.sqrt(1 - share) * _unit(self._noise(len(vectors))))

    def _noise(self, count: int) -> Floats:
        return self._rng.standard_normal((count, self._width), dtype=np.float32) * self._spread


def _unit(vectors: npt.NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _exact(rows: Half, queries: Floats) -> Floats:
    best = np.full(len(queries), -1.0, dtype=np.float32)
    for start in range(0, len(rows), SLICE):
        np.maximum(best, (queries @ rows[start : start + SLICE].astype(np.float32).T).max(axis=1), out=best)
    return best


def _search(index: NearestIndex, queries: Floats, exact: Floats) -> Search:
    index.nearest(queries[:1])  # warm up
    found, seconds = np.empty_like(exact), np.empty(len(queries))
    for number in range(len(queries)):
        start = time.perf_counter()
        found[number] = index.nearest(queries[number : number + 1])[0]
        seconds[number] = time.perf_counter() - start
    hit, above = found >= exact - EXACT, exact >= NeighboursConfig().floor
    return Search(
        probed=index.probed,
        median_ms=float(1000 * np.median(seconds)),
        p95_ms=float(1000 * np.quantile(seconds, 0.95)),
        recall=float(hit[above].mean()) if above.any() else float("nan"),
        recall_all=float(hit.mean()),
        largest_loss=float(np.max((exact - found)[above], initial=0.0)),
    )


def _faiss_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("faiss-cpu")
    except PackageNotFoundError:  # faiss can also come from conda
        return "unknown"
