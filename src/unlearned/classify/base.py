"""The interface of prompt classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

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


@runtime_checkable
class ReadsWords(Protocol):
    """An encoder that can also tell, at a hundredth of the cost, what the words of a text mean without each other."""

    def word_vectors(self, texts: Sequence[str]) -> Floats | None:
        """(N, D) per text the mean of its tokens' input embeddings, 0 without any; None if the encoder has none."""
        ...


@dataclass(frozen=True, eq=False)
class Features:
    """What classifiers read of N texts. Each part is worked out when one reads it first, and once for all of them."""

    texts: tuple[str, ...]
    encoder: TextEncoder
    whole: tuple[Features, npt.NDArray[np.int64]] | None = None
    """What these were taken from, and which of it they are: nothing of it is worked out again."""

    @classmethod
    def of(cls, texts: Sequence[str], encoder: TextEncoder) -> Features:
        return cls(tuple(texts), encoder)

    @cached_property
    def vectors(self) -> Floats:
        """(N, D) the encoder's."""
        if self.whole is not None and "vectors" in vars(self.whole[0]):
            features, chosen = self.whole
            return features.vectors[chosen]
        return self.encoder.encode(self.texts)

    @cached_property
    def word_vectors(self) -> Floats | None:
        """(N, D) means of what the encoder knows of the words alone; None of an encoder that has no such thing."""
        if self.whole is not None:
            features, chosen = self.whole
            return None if features.word_vectors is None else features.word_vectors[chosen]
        return self.encoder.word_vectors(self.texts) if isinstance(self.encoder, ReadsWords) else None

    @cached_property
    def ngrams(self) -> NGrams:
        """Hashed character n-grams of the texts."""
        if self.whole is not None:
            features, chosen = self.whole
            return features.ngrams.take(chosen)
        return ngrams(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, chosen: npt.NDArray[np.int64]) -> Features:
        """The texts with these indices."""
        return Features(tuple(self.texts[i] for i in chosen), self.encoder, (self, chosen))


class PromptClassifier(Protocol):
    """p(forget | text). One per forget scope."""

    least_threshold: ClassVar[float]
    """No threshold below this is chosen in calibration: there the score stops saying anything about the scope."""

    @property
    def encoder(self) -> TextEncoder: ...

    def predict_proba(self, features: Features) -> Floats:
        """Features of N texts, made with `encoder` -> (N,) float32 in [0, 1], p(forget | text)."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """JSON settings and arrays, from which `from_state` makes an equal classifier."""
        ...

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> PromptClassifier: ...


class FittableClassifier(PromptClassifier, Protocol):
    """A classifier over a frozen encoder that is made from examples in one step."""

    @classmethod
    def fit(
        cls, encoder: TextEncoder, forget: Features, negatives: Features, settings: Mapping[str, Any]
    ) -> FittableClassifier:
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
