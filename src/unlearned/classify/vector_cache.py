"""Vectors of texts that were encoded before: a conversation's next turn does not pay for the turns before it.

Kept by who asked, so that nobody learns from the time a check takes what others have asked. Texts are not kept: a key
is a hash of the text under a secret of this process.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from unlearned.classify.base import Floats, TextEncoder

MOST_BYTES = 64 * 2**20
"""About 35,000 windows of the packaged encoder."""

OVERHEAD = 400
"""Bytes of an entry besides its numbers."""


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """How the kept vectors were used so far."""

    found: int = 0
    encoded: int = 0
    size: int = 0
    """Bytes that are kept."""


class VectorCache:
    """The least recently used vectors go first.

    Args:
        most_bytes: that are kept.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._vectors: OrderedDict[bytes, Floats] = OrderedDict()
        self._size = self._found = self._encoded = 0
        self._encoders: WeakKeyDictionary[TextEncoder, bytes] = WeakKeyDictionary()
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def encode(self, encoder: TextEncoder, texts: Sequence[str], owners: Mapping[str, str]) -> Floats:
        """(N, D) vectors; those that are kept for the text's owner are not encoded again.

        Args:
            encoder: makes them.
            texts: N different ones.
            owners: text -> whose it is; "" for texts without an owner.
        """
        keys = [self._key(encoder, owners.get(text, ""), text) for text in texts]
        with self._lock:
            known = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in known:
                self._vectors.move_to_end(key)
        new = [(key, text) for key, text in zip(keys, texts, strict=True) if key not in known]
        made = encoder.encode([text for _, text in new]) if new else None
        with self._lock:
            self._found += len(known)
            self._encoded += len(new)
            if made is not None:
                for (key, _), vector in zip(new, made, strict=True):
                    known[key] = vector
                    self._keep(key, vector)
        return np.stack([known[key] for key in keys]) if keys else encoder.encode([])

    def counts(self) -> CacheCounts:
        with self._lock:
            return CacheCounts(self._found, self._encoded, self._size)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._vectors.clear()
            self._size = 0

    def _keep(self, key: bytes, vector: Floats) -> None:
        if key in self._vectors:
            return
        own = vector.copy()  # a row of a batch would keep the whole batch
        self._vectors[key] = own
        self._size += own.nbytes + OVERHEAD
        while self._size > self.most_bytes:
            _, gone = self._vectors.popitem(last=False)
            self._size -= gone.nbytes + OVERHEAD

    def _key(self, encoder: TextEncoder, owner: str, text: str) -> bytes:
        with self._lock:
            if encoder not in self._encoders:
                self._encoders[encoder] = secrets.token_bytes(16)
            own = self._encoders[encoder]
        return sealed_key(self._secret, own.hex(), owner, text)


def sealed_key(secret: bytes, *parts: str) -> bytes:
    """What a cache keeps in place of texts: a hash under a secret of the process, another one for any other parts."""
    hashes = (hashlib.blake2b(part.encode("utf-8", "surrogatepass"), key=secret).digest() for part in parts)
    return hashlib.blake2b(b"".join(hashes), key=secret, digest_size=16).digest()


VECTORS = VectorCache()
"""The cache of this process."""
