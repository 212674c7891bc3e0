"""The default classifier: kernel ridge regression over what a text means and how it is spelt.

Comparing a text with its nearest example finds paraphrases of that example. To find the *scope*, the evidence of all
examples has to be weighed: a name that occurs in every forget prompt and in no other is worth more than the form of a
question that both sets ask. Least squares does that in one linear solve, and its solution is the global optimum.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, TextEncoder, as_saved, config_of
from unlearned.classify.first_pass import FirstPass
from unlearned.classify.similarity import similarities
from unlearned.classify.spelling import product, unit_rows
from unlearned.errors import ConfigError, FitError
from unlearned.examples import machine_texts

MOST_EXAMPLES = 8_000
"""Most examples of one solve: it takes seconds at this size, and time and memory grow with its cube and square."""

MIDDLE, TEMPERATURE = 0.35, 0.1
"""f with p = 1/2, and the change of f that multiplies the odds by e."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelConfig:
    """Chosen by cross-validation on authors of TOFU's retain90 as invented scopes; see docs/detection.md."""

    gamma: float = 2.0
    """Width of the kernel exp(gamma (cos - 1)) between sentence vectors: what a text is about."""

    local: float = 1.0
    """Weight of exp(4 gamma (cos - 1)) beside it: whether a text is close to this very example."""

    spelling: float = 2.0
    """Weight of the n-gram kernel beside the sentence kernel."""

    ridge: float = 1.0
    """Regularisation."""

    forget_weight: float = 10.0
    """Weight of a forget example in the squared error; never more than what balances both sides."""

    def __post_init__(self) -> None:
        if min(self.gamma, self.ridge, self.forget_weight) <= 0 or min(self.local, self.spelling) < 0:
            raise ConfigError("gamma, ridge and forget_weight must be positive, local and spelling not negative.")


class KernelClassifier:
    """f(x) = sum_i a_i k(x, x_i), where a solves (K + ridge W^-1) a = y with y = 1 for forget examples, else 0.

    k(x, x') = exp(gamma (c - 1)) + local * exp(4 gamma (c - 1)) + spelling * cos(t, t'), where c is the cosine of the
    encoder's vectors, and t are the binary character n-grams of a text times their inverse document frequency. Without
    an intercept, a text that resembles no example has f = 0. p(forget | x) = sigmoid((f - 0.35) / 0.1) brings f into
    [0, 1] without losing its order.

    Args:
        encoder: gives unit vectors.
        vectors: (N, D) of the examples.
        duals: (N,) a.
        grams: (G,) the n-grams that occur in the examples, ascending.
        idf: (G,) their inverse document frequencies.
        weights: (G,) sum_i a_i spelling t_i / |t_i|: the spelling half of the sum, worked out beforehand.
        first: tells which texts are worth the encoder; None = all of them.
    """

    least_threshold: ClassVar[float] = 0.25

    def __init__(
        self,
        encoder: TextEncoder,
        vectors: Floats,
        duals: Floats,
        grams: npt.NDArray[np.int64],
        idf: Floats,
        weights: Floats,
        config: KernelConfig,
        first: FirstPass | None = None,
    ) -> None:
        count, width = len(duals), len(grams)
        if vectors.ndim != 2 or vectors.shape[0] != count or idf.shape != (width,) or weights.shape != (width,):
            shapes = [array.shape for array in (vectors, duals, grams, idf, weights)]
            raise ConfigError(f"The arrays have the shapes {shapes}; (N, D), (N,), (G,), (G,), (G,) are needed.")
        self._encoder = encoder
        self.vectors_saved = vectors.astype(np.float16)
        """(N, D) as an artifact keeps them."""

        self.duals = duals.astype(np.float32)
        self.grams, self.idf, self.weights = grams.astype(np.int64), idf.astype(np.float32), weights.astype(np.float32)
        self.config, self.first = config, first
        if first is not None and len(first.spelling) != width:
            raise ConfigError(f"The first pass knows {len(first.spelling)} n-grams, and the classifier {width}.")

    @cached_property
    def vectors(self) -> Floats:
        """(N, D) of the examples; not made for a classifier that is only asked together with others."""
        return self.vectors_saved.astype(np.float32)

    def with_bar(self, bar: float) -> KernelClassifier:
        """This classifier, whose first pass leaves out what is below the bar; itself if it has no first pass."""
        if self.first is None:
            return self
        changed = copy.copy(self)
        changed.first = replace(self.first, bar=bar)
        return changed

    @classmethod
    def fit(
        cls, encoder: TextEncoder, forget: Features, negatives: Features, settings: Mapping[str, Any]
    ) -> KernelClassifier:
        """Solve for the examples; thousands take seconds. Of very many, those nearest to the other side are kept.

        Raises:
            ConfigError: there is no forget example.
        """
        if not len(forget):
            raise ConfigError("A kernel classifier needs at least one forget example.")
        config = config_of(KernelConfig, settings)
        forget, negatives = _kept(forget, negatives)
        vectors = as_saved(np.concatenate([forget.vectors, negatives.vectors]))
        ids = [forget.ngrams, negatives.ngrams]
        grams, counts = np.unique(np.concatenate([n.ids for n in ids]), return_counts=True)
        idf = (np.log((1 + len(vectors)) / (1 + counts)) + 1).astype(np.float32)
        from scipy.sparse import vstack

        spelling = vstack([unit_rows(n, grams, idf) for n in ids], format="csr")
        labels = np.r_[np.ones(len(forget)), np.zeros(len(negatives))].astype(np.float32)
        weight = min(config.forget_weight, max(1.0, len(negatives) / len(forget)))
        kernel = sentence_kernel(vectors, vectors, config)
        kernel += config.spelling * (spelling @ spelling.T).toarray()
        ridge = config.ridge / np.where(labels > 0, weight, 1.0)
        kernel[np.diag_indices_from(kernel)] += ridge
        duals = _solve(kernel, labels)
        machine = Features.of(machine_texts(), encoder)
        more = np.zeros(len(machine), dtype=np.float32)
        first = FirstPass.learn(
            [side.word_vectors for side in (forget, negatives, machine)],
            vstack([spelling, unit_rows(machine.ngrams, grams, idf)], format="csr"),
            np.r_[labels, more],
            np.r_[ridge, more + config.ridge],
        )
        return cls(encoder, vectors, duals, grams, idf, config.spelling * (spelling.T @ duals), config, first)

    @property
    def encoder(self) -> TextEncoder:
        return self._encoder

    def predict_proba(self, features: Features) -> Floats:
        """Features of N texts -> (N,) p(forget | text); of texts that the first pass leaves out, its own estimate."""
        if self.first is None or self.first.bar == -np.inf:
            return self._judged(features)
        likely = self.likely(features)
        found = probabilities(likely)
        near = np.flatnonzero(likely >= self.first.bar)
        if len(near):
            found[near] = self._judged(features.take(near))
        return found

    def likely(self, features: Features) -> Floats:
        """Features of N texts -> (N,) values of the first pass; infinite where there is none: nothing is left out."""
        if self.first is None or features.word_vectors is None:
            return np.full(len(features), np.inf, dtype=np.float32)
        return self.first.values(features.word_vectors, features.ngrams, self.grams, self.idf)

    def _judged(self, features: Features) -> Floats:
        near = sentence_kernel(features.vectors, self.vectors, self.config)
        meaning = similarities(near, self.duals[None])[:, 0]
        return probabilities(meaning + product(features.ngrams, self.grams, self.idf, self.weights))

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        arrays: dict[str, npt.NDArray[Any]] = {
            "vectors": self.vectors_saved,
            "duals": self.duals,
            "grams": self.grams.astype(np.int32),
            "idf": self.idf,
            "weights": self.weights,
        }
        return asdict(self.config), arrays | ({} if self.first is None else self.first.arrays())

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> KernelClassifier:
        own = {name: arrays[name] for name in _ARRAYS}
        return cls(encoder, config=config_of(KernelConfig, settings), first=FirstPass.of(arrays), **own)


_ARRAYS = ("vectors", "duals", "grams", "idf", "weights")


def probabilities(values: Floats) -> Floats:
    """f -> p(forget), of any shape: a sigmoid that cannot overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -(values - MIDDLE) / TEMPERATURE)), dtype=np.float32)


def sentence_kernel(left: Floats, right: Floats, config: KernelConfig) -> Floats:
    """(N, D), (M, D) unit vectors -> (N, M) the part of k that compares what texts are about."""
    kernel = similarities(left, right)
    kernel -= 1.0
    kernel *= config.gamma
    np.exp(kernel, out=kernel)
    local = np.square(kernel)
    np.square(local, out=local)  # exp(4 x) = exp(x) ** 4
    local *= config.local
    return np.asarray(np.add(kernel, local, out=kernel))


def _solve(kernel: Floats, labels: Floats) -> Floats:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    try:
        factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=True)
    except (LinAlgError, ValueError) as error:
        raise FitError(f"The classifier's equations cannot be solved ({error}). Raise `ridge`.") from error
    return np.asarray(cho_solve(factor, labels), dtype=np.float32)


def _kept(forget: Features, negatives: Features) -> tuple[Features, Features]:
    """Choose at most `MOST_EXAMPLES`: forget examples evenly, then negatives, half by nearness and half evenly."""
    if len(forget) + len(negatives) <= MOST_EXAMPLES:
        return forget, negatives
    if len(forget) > MOST_EXAMPLES // 2:
        forget = forget.take(_evenly(np.arange(len(forget)), MOST_EXAMPLES // 2))
    room = MOST_EXAMPLES - len(forget)
    if len(negatives) > room:
        nearness = similarities(negatives.vectors, forget.vectors).max(axis=1)
        order = np.argsort(-nearness, kind="stable")
        near, rest = order[: room // 2], np.sort(order[room // 2 :])
        negatives = negatives.take(np.sort(np.concatenate([near, _evenly(rest, room - len(near))])))
    return forget, negatives


def _evenly(indices: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    return indices[np.linspace(0, len(indices) - 1, num=count).round().astype(np.int64)]
