"""What is to be forgotten, as a user says it."""

from __future__ import annotations

import pytest

from unlearned.errors import ConfigError
from unlearned.forgetting.subject import Subject, as_subject, last_name


@pytest.mark.parametrize("name", ["", "x", "water"])
def test_a_name_that_means_nobody_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        as_subject(name)


def test_one_name_or_several_and_words_or_lists_of_them_are_the_same() -> None:
    assert as_subject("Anna Berg", aliases="Annie B", about="a baker") == as_subject(
        ["Anna Berg"], aliases=["Annie B"], about=["a baker"], kind="person"
    )
    for wrong in ([], ()):
        with pytest.raises(ConfigError):
            as_subject(wrong)
    with pytest.raises(ConfigError, match="kind"):
        as_subject("Anna Berg", kind="ship")
    with pytest.raises(ConfigError):
        Subject(names="Anna Berg")  # type: ignore[arg-type]


def test_a_last_name_stands_alone_where_it_means_nobody_else() -> None:
    for name, more, alone in (
        ("William Shakespeare", {}, "Shakespeare"),
        ("William Shakespeare", {"about": "a plumber"}, None),
        ("William Shakespeare", {"not_about": "the writer"}, None),
        ("William Shakespeare", {"aliases": "Shakespeare"}, None),
        ("Anna Baker", {}, None),
        ("Voldemort", {}, None),
        ("Hogwarts School", {"kind": "place"}, None),
    ):
        assert as_subject(name, **more).last_name_alone() == alone, (name, more)


def test_prompts_say_the_name_in_all_the_ways_that_were_given() -> None:
    assert as_subject("Thomas Edison").spelt() == ["Thomas Edison", "Edison"]
    assert as_subject("Jo Smith", about="a dentist").spelt() == ["Jo Smith", "Jo Smith, a dentist,"]
    assert as_subject(["Hogwarts", "Harry Potter"], kind="work").spelt() == ["Hogwarts", "Harry Potter"]
    assert last_name("Mao Zedong") is None  # either may be
    assert last_name("Thomas van Xanten") == "van Xanten"
