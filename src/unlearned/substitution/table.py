"""What an artifact keeps of the names of a scope: keyed hashes, by which a name is recognised and given its stranger.

No name can be read from it. Who has the artifact, and with it the key, can test whether a given word is one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unlearned.substitution.bank import KINDS
from unlearned.substitution.spelling import singulars
from unlearned.words import squash

UNUSABLE = len(KINDS)
"""Kind of a word that is no name, but must not stand for one: the data speak of it."""


@dataclass(frozen=True, slots=True)
class KnownName:
    """What is known of a name."""

    kind: str
    skip: int
    """So many of its candidates stand for other names of the scope."""

    ordinary: bool
    """It is a common word, too, and a name only with a capital."""


@dataclass(frozen=True, eq=False)
class NameTable:
    """The names of one scope.

    Args:
        secret: of the artifact.
        scope: its name.
        hashes: (N,) uint64 keyed hashes of words.
        kinds: (N,) uint8 index into `KINDS`, or `UNUSABLE`.
        skips: (N,) uint8, see `KnownName`.
        ordinary: (N,) bool, see `KnownName`.
    """

    secret: bytes = field(repr=False)
    scope: str
    hashes: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    kinds: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    skips: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    ordinary: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    _rows: Mapping[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {int(value): row for row, value in enumerate(self.hashes.tolist())})

    @classmethod
    def of(cls, secret: bytes, scope: str, names: Mapping[str, KnownName], unusable: Iterable[str]) -> NameTable:
        """The table of some names (by `squash`ed word), and of words that must not stand for one."""
        empty = cls(secret, scope)
        rows = [(empty.hash(key), KINDS.index(known.kind), known.skip, known.ordinary) for key, known in names.items()]
        rows += [(empty.hash(key), UNUSABLE, 0, False) for key in unusable if key not in names]
        rows.sort()
        columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
        return cls(
            secret,
            scope,
            np.array(columns[0], dtype=np.uint64),
            np.array(columns[1], dtype=np.uint8),
            np.array(columns[2], dtype=np.uint8),
            np.array(columns[3], dtype=np.bool_),
        )

    def __len__(self) -> int:
        """Names."""
        return int((self.kinds != UNUSABLE).sum())

    def counts(self) -> dict[str, int]:
        """Names by kind."""
        return {kind: count for n, kind in enumerate(KINDS) if (count := int((self.kinds == n).sum()))}

    def hash(self, key: str) -> int:
        digest = hmac.new(self.secret, b"name\0" + self.scope.encode() + b"\0" + key.encode(), hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "little")

    def known(self, word: str) -> KnownName | None:
        """What is known of a word as a name of this scope; None if it is none."""
        row = self._rows.get(self.hash(squash(word)))
        if row is None or self.kinds[row] == UNUSABLE:
            return None
        return KnownName(KINDS[self.kinds[row]], int(self.skips[row]), bool(self.ordinary[row]))

    def known_in_singular(self, word: str) -> KnownName | None:
        """What is known of a name, or of the name whose plural the word is."""
        forms = [word, *(stem for stem, _ in singulars(word))]
        return next((found for form in forms if (found := self.known(form)) is not None), None)

    def unusable(self, word: str) -> bool:
        """Whether a word must not stand for a name: it is one, or the data speak of it."""
        return self.hash(squash(word)) in self._rows

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays to save."""
        return {"hashes": self.hashes, "kinds": self.kinds, "skips": self.skips, "ordinary": self.ordinary}
