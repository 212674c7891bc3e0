"""The kernel classifiers of many scopes as one: a few products give the scores of all of them.

One by one they would compare a text with the same packaged prompts, and look up the same n-grams, a thousand times for
a thousand scopes, nearly always to find nothing. The formulas are those of `KernelClassifier` and `FirstPass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from unlearned.classify.base import Features, Floats
from unlearned.classify.kernel import KernelClassifier, probabilities, sentence_kernel
from unlearned.classify.ngrams import BITS, NGrams
from unlearned.classify.similarity import similarities
from unlearned.classify.spelling import Ints, known_grams

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SHARED = 0.5
"""Share of the scopes that must have something for all of them to have a place for it: packaged prompts, from which
every scope is told apart, and their n-grams. The rest is kept sparsely."""

TOGETHER = 32
"""Columns that are filled in at once: rows of a table are far apart in memory."""


@dataclass(frozen=True, eq=False)
class Weights:
    """(R, C) numbers, of which most rows are nearly full and the others nearly empty."""

    dense: torch.Tensor
    """(R1, C) the rows that most columns share."""

    sparse: csr_matrix
    """(R2, C) the others."""

    @classmethod
    def of(cls, columns: Sequence[tuple[Ints, Floats]], is_shared: npt.NDArray[np.bool_]) -> Weights:
        """From C columns.

        Args:
            columns: of each, its rows and the numbers in them.
            is_shared: (R,) whether a row is one of the dense ones; within both kinds rows keep their order.
        """
        from scipy.sparse import csr_matrix

        place = np.where(is_shared, np.cumsum(is_shared), np.cumsum(~is_shared)) - 1
        dense = np.empty((int(is_shared.sum()), len(columns)), dtype=np.float32)
        others, numbers = [], []
        for first in range(0, len(columns), TOGETHER):
            some = columns[first : first + TOGETHER]
            block = np.zeros((len(some), len(dense)), dtype=np.float32)
            for n, (rows, values) in enumerate(some):
                own = is_shared[rows]
                block[n, place[rows[own]]] = values[own]
                others.append(place[rows[~own]])
                numbers.append(values[~own])
            dense[:, first : first + len(some)] = block.T
        where = np.repeat(np.arange(len(columns)), [len(own) for own in others])
        sparse = csr_matrix(
            (np.concatenate(numbers), (np.concatenate(others), where)), shape=(int((~is_shared).sum()), len(columns))
        )
        return cls(torch.from_numpy(dense), sparse)


class JointKernels:
    """The scores of S classifiers.

    Memory: 12 bytes per scope and shared n-gram, about 1.5 MB per scope.

    Args:
        classifiers: with the same encoder and the same config.
    """

    def __init__(self, classifiers: Sequence[KernelClassifier]) -> None:
        self._config = classifiers[0].config
        passes = [one.first for one in classifiers]
        nothing = np.zeros(classifiers[0].vectors_saved.shape[1], dtype=np.float32)
        self._bars = np.array([-np.inf if one is None else one.bar for one in passes], dtype=np.float32)
        self._means = np.stack([nothing if one is None else one.mean for one in passes])
        self._meanings = np.stack([nothing if one is None else one.meaning for one in passes])
        self._offsets = np.einsum("sd,sd->s", self._means, self._meanings)
        self._squares = np.einsum("sd,sd->s", self._means, self._means)
        self._grams = _Grams.of(classifiers)
        firsts = [np.zeros_like(one.idf) if one.first is None else one.first.spelling for one in classifiers]
        own = [[one.idf * first, one.idf**2] for one, first in zip(classifiers, firsts, strict=True)]
        self._first_spelling = self._grams.weights([first for first, _ in own] + [squares for _, squares in own])
        self._spelling = self._grams.weights([one.idf * one.weights for one in classifiers])
        self._vectors, self._duals = _examples(classifiers)

    def predict_proba(self, features: Features, read: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Features of N texts -> (S, N) p(forget | text); of what the first passes leave out, their own estimates.

        Args:
            features: of the texts.
            read: (S, N) whether a scope reads a text at all; None = each reads all. What it does not read is not
                compared, and its score says nothing.
        """
        first, squares = np.split(self._grams.sums(features.ngrams, self._first_spelling), 2, axis=1)
        lengths = np.sqrt(np.where(squares > 0, squares, np.float32(1.0)))
        first = np.asarray(first / lengths, dtype=np.float32)
        likely = np.full_like(first, np.inf)
        if features.word_vectors is not None:
            likely = self._meant(features.word_vectors) + first
        found = probabilities(likely)
        is_near = likely >= self._bars
        if read is not None:
            is_near &= read.T
        near = np.flatnonzero(is_near.any(axis=1))
        if len(near):
            suspicious = features.take(near)
            spelt = self._grams.sums(suspicious.ngrams, self._spelling) / lengths[near]
            exact = np.asarray(self._compared(suspicious.vectors) + spelt, dtype=np.float32)
            found[near] = np.where(is_near[near], probabilities(exact), found[near])
        return np.ascontiguousarray(found.T)

    def _meant(self, words: Floats) -> Floats:
        """(N, S) w . (x - m) / |x - m|, from products with x alone."""
        own = np.einsum("nd,nd->n", words, words)[:, None]
        lengths = own - 2 * similarities(words, self._means) + self._squares
        found = similarities(words, self._meanings) - self._offsets
        return np.where(own > 0, found / np.sqrt(np.maximum(lengths, np.float32(1e-12))), np.float32(0.0))

    def _compared(self, vectors: Floats) -> Floats:
        """(N, D) -> (N, S) sum of a_i k(x, x_i) over the examples, without their spelling."""
        near = sentence_kernel(vectors, self._vectors, self._config)
        shared = len(self._duals.dense)
        found = similarities(near[:, :shared], self._duals.dense.T.numpy())
        return np.asarray(found + near[:, shared:] @ self._duals.sparse, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class _Grams:
    """The n-grams that S classifiers know."""

    shared: Ints
    """(R1,) ascending, those that many know"""

    rare: Ints
    """(R2,) ascending, and the others."""

    places: Sequence[Ints]
    """Of each classifier's n-grams, the rows among all of them."""

    is_shared: npt.NDArray[np.bool_]
    """(R1 + R2,)"""

    @classmethod
    def of(cls, classifiers: Sequence[KernelClassifier]) -> _Grams:
        known = np.zeros(1 << BITS, dtype=np.int32)
        for one in classifiers:
            known[one.grams] += 1
        grams = np.flatnonzero(known)
        is_shared = known[grams] >= SHARED * len(classifiers)
        places = [np.searchsorted(grams, one.grams) for one in classifiers]
        return cls(grams[is_shared], grams[~is_shared], places, is_shared)

    def weights(self, columns: Sequence[Floats]) -> Weights:
        """Of C = k S columns, of k numbers for each n-gram of each classifier: first those of one kind, then others."""
        places = [*self.places] * (len(columns) // len(self.places))
        return Weights.of(list(zip(places, columns, strict=True)), self.is_shared)

    @torch.inference_mode()
    def sums(self, found: NGrams, weights: Weights) -> Floats:
        """(N, C) the sums of the weights of each text's n-grams."""
        rows, columns = known_grams(found, self.shared)
        starts = torch.from_numpy(np.searchsorted(rows, np.arange(len(found))))
        bags = torch.nn.functional.embedding_bag
        sums: Floats = bags(torch.from_numpy(columns), weights.dense, starts, mode="sum").numpy()
        rows, columns = known_grams(found, self.rare)
        if len(rows):
            from scipy.sparse import csr_matrix

            ones = np.ones(len(rows), dtype=np.float32)
            chosen = csr_matrix((ones, (rows, columns)), shape=(len(found), len(self.rare)))
            sums = sums + (chosen @ weights.sparse).toarray()
        return sums


def _examples(classifiers: Sequence[KernelClassifier]) -> tuple[Floats, Weights]:
    """(M, D) the different examples of all scopes, the shared ones first, and (M, S) their duals."""
    known: dict[bytes, int] = {}
    columns = []
    for one in classifiers:
        own = np.array([known.setdefault(row.tobytes(), len(known)) for row in one.vectors_saved], dtype=np.int64)
        rows, which = np.unique(own, return_inverse=True)  # an example may stand twice
        columns.append((rows, np.bincount(which, weights=one.duals).astype(np.float32)))
    counts = np.zeros(len(known), dtype=np.int64)
    for rows, _ in columns:
        counts[rows] += 1
    is_shared = counts >= SHARED * len(classifiers)
    dtype = classifiers[0].vectors_saved.dtype
    vectors = np.frombuffer(b"".join(known), dtype=dtype).reshape(len(known), -1).astype(np.float32)
    return np.concatenate([vectors[is_shared], vectors[~is_shared]]), Weights.of(columns, is_shared)
