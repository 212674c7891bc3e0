"""Tokens in a text of characters: where each begins, and how one is written that is no whole character."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from unlearned.prompts.detokenize import BROKEN


def as_written(text: str, raw: Sequence[int]) -> str:
    r"""A token as OpenAI writes it: its text, or `bytes:\xf0\x9f` where it is a part of a character.

    Written as the decoder's sign for broken bytes, two halves of different characters could not be told apart.
    """
    if BROKEN not in text or bytes(raw) == text.encode():
        return text
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)


class TokenOffsets:
    """The `text_offset` of the tokens of one text, in characters, one after the other.

    A token that goes on with a character begins where that character does.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._at = 0

    def next(self, raw: bytes) -> int:
        """Where the token of these bytes begins."""
        begins = self._at
        self._at += len(self._decoder.decode(raw))
        return begins
