"""Messages of which nothing is anywhere near a scope: a conversation's next turn does not read them again.

Kept by who asked, as the vectors are (`kept`), and as little: a key is a hash of the message under a secret of this
process, and the value is its highest score.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

from unlearned.classify.vector_cache import sealed_key

MOST = 50_000
"""Messages; about 10 MB."""


class Unsuspicious:
    """Messages of which no part reached even the score from which a scope looks closer, in a language that is read.

    The least recently asked go first.

    Args:
        most: messages that are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._scores: OrderedDict[bytes, float] = OrderedDict()
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def key(self, scopes: bytes, owner: str, text: str, *, quoted: bool) -> bytes:
        """Of a message under a set of scopes; `quoted` ones are read otherwise."""
        return sealed_key(self._secret, scopes.hex(), owner, text, "quoted" if quoted else "")

    def score(self, key: bytes) -> float | None:
        """The highest p(forget) of any part of the message; None if nothing is known of it."""
        with self._lock:
            if key in self._scores:
                self._scores.move_to_end(key)
            return self._scores.get(key)

    def add(self, key: bytes, score: float) -> None:
        """Keep one."""
        with self._lock:
            self._scores[key] = score
            while len(self._scores) > self.most:
                self._scores.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._scores.clear()


UNSUSPICIOUS = Unsuspicious()
"""Of this process."""
