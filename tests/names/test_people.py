"""A first name is anybody's, and a last name behind somebody else's first name somebody else's."""

from __future__ import annotations

from unlearned.classify.decoding import everyday_words
from unlearned.names.forms import Kind, name_forms
from unlearned.names.matcher import Matcher, tokens
from unlearned.names.people import is_shouted, others_parts, parts_of_name


def others(name: str, text: str, kind: Kind = "person") -> list[str]:
    everyday = everyday_words()
    whole = Matcher([name_forms(name, kind=kind)]).find(text)
    words = tokens(text)
    found = others_parts(text, words, whole, parts_of_name(name, kind, everyday), everyday)
    return [text[word.start : word.end] for word in found]


def test_parts_are_weak_or_strong_by_what_they_say_alone() -> None:
    for name, weak, strong in (
        ("Thomas Alva Edison", {"thomas", "alva"}, {"edison"}),
        ("Anna-Lena Müller-Böhm", {"anna", "lena", "muller", "bohm"}, set()),
        ("Mao Zedong", {"mao", "zedong"}, set()),
        ("J. R. R. Tolkien", set(), {"tolkien"}),
        ("Hogwarts", set(), set()),
        ("", set(), set()),
    ):
        parts = parts_of_name(name, "person", everyday_words())
        assert (parts.weak, parts.strong) == (weak, strong), name
        assert parts.words == weak | strong
    thing = parts_of_name("The Silver House of Anna", "work", everyday_words())
    assert {"house", "anna"} <= thing.weak
    assert thing.strong == frozenset()


def test_words_of_a_name_that_say_nothing_about_its_bearer() -> None:
    for text, expected in {
        "Who was Thomas Edison?": [],
        "Who was Edison?": [],
        "Who was Thomas?": ["Thomas"],
        "Who was Anna Edison?": ["Edison"],
        "Who was B. Edison?": ["Edison"],
        "Edison.": ["Edison"],
        "Thomas Edison met Thomas Mann": ["Thomas"],
        "Who was Edison Park?": ["Edison"],
        "": [],
    }.items():
        assert others("Thomas Edison", text) == expected, text


def test_nearly_all_words_with_capitals_are_shouted() -> None:
    for text, shouted in {
        "WHO WAS ANNA BERG": True,
        "Why Apple Is So Good": True,
        "WHO WAS ANNA": False,  # too few to tell
        "Who was Anna Maria Berg": False,
        "I A B C D": False,
        "": False,
        "日本 語の 本は どこ": False,
    }.items():
        assert is_shouted(text) is shouted, text
