"""Words that belong to no name are written as they are looked up."""

from __future__ import annotations

from unlearned.names.parts import bare
from unlearned.names.words import KEPT, OPENERS


def test_every_word_is_its_own_key() -> None:
    for word in KEPT | OPENERS:
        assert bare(word) == word, word
