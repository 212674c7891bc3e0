"""Token ids of a piece of text as it stands within a longer one, where tokenizers add nothing in front of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ANCHORS = ("\n", ".", "a ")
"""What is put in front of a piece and taken off again; the first of which the tokenizer keeps the tokens apart."""

MOST_KEPT = 50_000
"""Pieces whose tokens are remembered."""


class Pieces:
    """Tokenises pieces of text with one tokenizer. Used from any thread.

    Args:
        tokenizer: a fast tokenizer that nobody else uses.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._lock = threading.Lock()
        # Without the wrapper, which takes several times as long as the tokenizer itself.
        self._backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        self._anchors = [(anchor, self._encode(anchor)) for anchor in ANCHORS]
        self._known: dict[str, tuple[int, ...]] = {}

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of `text` in the middle of a text; none for the empty text."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            found = self._known[text] = self._ids(text) if text else ()
        return found

    def text(self, token_ids: tuple[int, ...]) -> str:
        """What these tokens say, special ones left out."""
        with self._lock:
            return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=True))

    def _ids(self, text: str) -> tuple[int, ...]:
        for anchor, own in self._anchors:
            both = self._encode(anchor + text)
            if own and both[: len(own)] == own:
                return both[len(own) :]
        return self._encode(text)

    def _encode(self, text: str) -> tuple[int, ...]:
        with self._lock:
            if self._backend is not None:
                return tuple(self._backend.encode(text, add_special_tokens=False).ids)
            return tuple(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
