"""A word whatever its casing, accents and the marks within it."""

from __future__ import annotations

import unicodedata


def squash(text: str) -> str:
    """Lower-case letters and digits only, without accents."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return "".join(character for character in text.lower() if character.isalnum())
