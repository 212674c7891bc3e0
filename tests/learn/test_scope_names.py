"""Which names a scope has."""

from __future__ import annotations

import pytest

from unlearned.errors import ConfigError
from unlearned.learn.scope_names import checked_name, given_names_of, lexicon_of, names_of

PROMPTS = ["Where was Thomas A. Edison born?", "What did Thomas A. Edison do in New York?", "Did he like New York?"]


def test_names_of_several_words_in_two_prompts_are_the_scopes_unless_others_have_them() -> None:
    assert [one.name for one in names_of(PROMPTS, ["How large is New York?"])] == ["Thomas A. Edison"]


def test_a_given_name_stands_first_and_is_not_found_again() -> None:
    lexicon = lexicon_of(PROMPTS, ["How large is New York?"], given_names_of(["Thomas Edison"]))
    assert [one.name for one in lexicon.names] == ["Thomas Edison"]
    assert "edison" in lexicon.words


@pytest.mark.parametrize("name", ["", " ", "x", "water"])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        checked_name(name, about=False)


def test_a_common_word_is_a_name_with_its_context_only() -> None:
    assert checked_name("Water", about=True) == "Water"
    assert [one.alone for one in given_names_of(["Water", "Anna Berg"])] == [False, True]
