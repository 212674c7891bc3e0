"""Token ids -> text while they come: what is given out is never taken back, and never half a character."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unlearned.prompts.tokenize import special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BROKEN = "\ufffd"
"""What decoders put in place of bytes that are no (whole) character."""

BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""A token that stands for one byte, where tokenizers have such tokens."""


SPACE = "\u2581"
"""A space before a word, in sentencepiece's tokens."""


class TextStream:
    """The text of one answer, piece by piece; all pieces together are `tokenizer.decode` of all tokens.

    A tokenizer decodes some tokens differently at the start of a text (leading spaces), and one character may be spread
    over several tokens. So the tokens since the last clean cut are decoded together with those of the cut before.

    Args:
        tokenizer: decodes.
        shown: special tokens that are text nevertheless.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, shown: frozenset[int] = frozenset()) -> None:
        self.tokenizer = tokenizer
        self._hidden = special_ids(tokenizer) - shown if shown else None
        self.token_ids: list[int] = []
        self.text = ""
        """All that was given out."""

        self._before, self._cut = 0, 0

    def push(self, token_id: int) -> str:
        """Take a token, give out the text that is certain now."""
        self.token_ids.append(token_id)
        known = self._decode(self.token_ids[self._before : self._cut])
        both = self._decode(self.token_ids[self._before :])
        if both.endswith(BROKEN) or len(both) <= len(known):
            return ""
        self._before, self._cut = self._cut, len(self.token_ids)
        new = both[len(known) :]
        self.text += new
        return new

    def finish(self) -> str:
        """What was still held back."""
        whole = self._decode(self.token_ids)
        rest = whole[len(self.text) :] if whole.startswith(self.text) else ""
        self.text += rest
        return rest

    def _decode(self, token_ids: list[int]) -> str:
        if self._hidden is not None:
            return str(self.tokenizer.decode([token for token in token_ids if token not in self._hidden]))
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=True)) if token_ids else ""


def token_bytes(tokenizer: PreTrainedTokenizerBase, token_id: int) -> bytes:
    """The bytes a token stands for, also where they are no whole character."""
    token = str(tokenizer.convert_ids_to_tokens(token_id))
    if byte := BYTE.fullmatch(token):  # sentencepiece's byte tokens
        return bytes([int(byte[1], 16)])
    text = str(tokenizer.decode([token_id]))
    if token.startswith(SPACE) and not text.startswith(" "):  # decoders drop the space at the start of a text
        text = f" {text}"
    if BROKEN not in text:
        return text.encode("utf-8", errors="replace")
    letters = _byte_level()
    if all(letter in letters for letter in token):
        return bytes(letters[letter] for letter in token)
    return text.encode("utf-8", errors="replace")


def _byte_level() -> dict[str, int]:
    """The letters by which byte-level BPE writes bytes (GPT-2)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}
