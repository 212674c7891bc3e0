"""The interface of prompt classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from unlearned.classify.ngrams import NGrams, ngrams
from unlearned.errors import ConfigError
from unlearned.registry import Registry

Floats = npt.NDArray[np.float32]


def as_saved(vectors: Floats) -> Floats:
    """Vectors as an artifact gives them back, rounded to float16: what is fitted decides like what is loaded."""
    return vectors.astype(np.float16).astype(np.float32)


class TextEncoder(Protocol):
    """Texts to feature vectors. Classifiers that share one encoder object share one pass over the texts."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, D) float32; for sentence encoders of unit length."""
        ...


@dataclass(frozen=True, eq=False)
class Features:
    """What classifiers read of N texts; worked out once for all scopes that share an encoder."""

    texts: tuple[str, ...]
    vectors: Floats
    """(N, D) the encoder's."""

    @classmethod
    def of(cls, texts: Sequence[str], encoder: TextEncoder) -> Features:
        return cls(tuple(texts), encoder.encode(texts))

    whole: tuple[Features, npt.NDArray[np.int64]] | None = None
    """What these were taken from, and which of it they are: its n-grams are not hashed again."""

    @cached_property
    def ngrams(self) -> NGrams:
        """Hashed character n-grams of the texts; only computed for classifiers that look at spelling."""
        if self.whole is not None:
            features, chosen = self.whole
            return features.ngrams.take(chosen)
        return ngrams(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, chosen: npt.NDArray[np.int64]) -> Features:
        """The texts with these indices."""
        return Features(tuple(self.texts[i] for i in chosen), self.vectors[chosen], (self, chosen))


class PromptClassifier(Protocol):
    """p(forget | text). One per forget scope."""

    least_threshold: ClassVar[float]
    """No threshold below this is chosen in calibration: there the score stops saying anything about the scope."""

    @property
    def encoder(self) -> TextEncoder: ...

    def score(self, features: Features) -> Floats:
        """Features of N texts, made with `encoder` -> (N,) float32 in [0, 1], p(forget | text)."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """JSON settings and arrays, from which `from_state` makes an equal classifier."""
        ...

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> PromptClassifier: ...


class EnrollingClassifier(PromptClassifier, Protocol):
    """A classifier over a frozen encoder that is made from examples in one step."""

    @classmethod
    def enrol(
        cls, encoder: TextEncoder, forget: Features, negatives: Features, settings: Mapping[str, Any]
    ) -> EnrollingClassifier:
        """Make one from forget and other examples; `settings` are the fields of its config."""
        ...


classifiers: Registry[type[PromptClassifier]] = Registry("prompt classifier")
classifiers.register("kernel", "unlearned.classify.kernel:KernelClassifier")
classifiers.register("neighbours", "unlearned.classify.neighbours:NeighboursClassifier")
classifiers.register("logistic", "unlearned.classify.logistic:LogisticClassifier")
classifiers.register("encoder", "unlearned.classify.sequence:SequenceClassifier")

Config = TypeVar("Config")


def config_of(kind: type[Config], settings: Mapping[str, Any]) -> Config:
    """Settings as a classifier's config, a dataclass; raises `ConfigError` for one that it does not have."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError(f"The classifier has no setting {unknown[0]!r}. It has: {', '.join(known)}.")
    return kind(**settings)
