"""Words that belong to no name are written as they are looked up."""

from __future__ import annotations

from unlearned.names.parts import bare, given_names
from unlearned.names.words import KEPT, OPENERS


def test_every_word_is_its_own_key() -> None:
    for word in KEPT | OPENERS:
        assert bare(word) == word, word


def test_first_names_are_kept_words_only_where_they_are_months_or_words_of_grammar() -> None:
    assert KEPT & given_names() <= {"april", "august", "june", "may", "will"}
