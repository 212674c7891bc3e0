"""The scopes in force, and what is worked out once for all of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np

from unlearned.classify.base import TextEncoder
from unlearned.classify.garbled import Vocabulary
from unlearned.classify.joint import JointKernels
from unlearned.classify.joint_lexicons import JointLexicons
from unlearned.classify.kernel import KernelClassifier, KernelConfig
from unlearned.classify.lexicon import ScopeText
from unlearned.classify.scope import Scope
from unlearned.classify.spelling import Ints

FEW = 4
"""Up to this many scopes are asked one by one."""


class ScopeSet(Sequence[Scope]):
    """Scopes, in any order."""

    def __init__(self, scopes: Sequence[Scope]) -> None:
        self._scopes = tuple(scopes)
        self.thresholds = np.array([scope.threshold for scope in self._scopes], dtype=np.float64)
        """(S,)"""

        self.penalties = np.array([scope.short_penalty for scope in self._scopes], dtype=np.float64)
        """(S,) on short texts"""

        self.token = secrets.token_bytes(16)
        """Tells the set from any other: what is kept of a text holds for one set."""

        self._named: dict[str, list[int]] = {}
        for n, scope in enumerate(self._scopes):
            self._named.setdefault(scope.name, []).append(n)

    @classmethod
    def of(cls, scopes: Sequence[Scope]) -> ScopeSet:
        """The scopes as such a set; itself if they are one."""
        return scopes if isinstance(scopes, ScopeSet) else cls(scopes)

    def __len__(self) -> int:
        return len(self._scopes)

    def __iter__(self) -> Iterator[Scope]:
        return iter(self._scopes)

    @overload
    def __getitem__(self, index: int) -> Scope: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Scope]: ...

    def __getitem__(self, index: int | slice) -> Scope | Sequence[Scope]:
        return self._scopes[index]

    def ready(self) -> None:
        """Work out now what the first prompt would wait for: of a thousand scopes, some twenty seconds."""
        self.vocabulary, self._lexicons, self._joint  # noqa: B018

    def named(self, name: str) -> list[int]:
        """Which scopes have the name."""
        return self._named[name]

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """The words of all lexicons; None without any."""
        lexicons = [scope.lexicon for scope in self._scopes if scope.lexicon]
        return Vocabulary.of(lexicons) if lexicons else None

    @cached_property
    def by_encoder(self) -> list[tuple[TextEncoder, Ints]]:
        """Every encoder, and which scopes have it."""
        groups: dict[int, list[int]] = {}
        for n, scope in enumerate(self._scopes):
            groups.setdefault(id(scope.classifier.encoder), []).append(n)
        return [(self._scopes[own[0]].classifier.encoder, np.array(own, dtype=np.int64)) for own in groups.values()]

    def said(self, texts: Sequence[str]) -> dict[int, dict[int, ScopeText]]:
        """Scope -> text -> what the text says to it, by index; only where that is not just the text itself."""
        found: dict[int, dict[int, ScopeText]] = {}
        for n, text in enumerate(texts):
            for scope, said in self._lexicons.said(text).items():
                found.setdefault(scope, {})[n] = said
        return found

    @cached_property
    def _lexicons(self) -> JointLexicons:
        return JointLexicons([scope.lexicon for scope in self._scopes])

    def joint(self, encoder: TextEncoder) -> list[tuple[Ints, JointKernels]]:
        """Which scopes with this encoder are asked together, and those as one."""
        return self._joint[id(encoder)]

    @cached_property
    def _joint(self) -> dict[int, list[tuple[Ints, JointKernels]]]:
        found: dict[int, list[tuple[Ints, JointKernels]]] = {}
        for encoder, rows in self.by_encoder:
            alike: dict[KernelConfig, dict[int, KernelClassifier]] = {}
            for n in rows.tolist():
                if isinstance(classifier := self._scopes[n].classifier, KernelClassifier):
                    alike.setdefault(classifier.config, {})[n] = classifier
            found[id(encoder)] = [
                (np.array(list(own), dtype=np.int64), JointKernels(list(own.values())))
                for own in alike.values()
                if len(own) > FEW
            ]
        return found
