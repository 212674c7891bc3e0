"""Names are found in a text that comes character by character, whatever its casing, marks and spaces."""

from __future__ import annotations

import pytest

from unlearned.answers.automaton import START, Automaton
from unlearned.answers.spellings import spellings
from unlearned.classify.lexicon import ScopeName

NAMES = (
    ScopeName(name="Harry Potter"),
    ScopeName(name="Star Wars", kind="work", given=False),
    ScopeName(name="Hogwarts", kind="work", given=False),
    ScopeName(name="Obi-Wan Kenobi", given=False),
    ScopeName(name="Joanne Kathleen Rowling", aliases=("J.K. Rowling",)),
    ScopeName(name="Granger", kind="work", given=False, alone=False),
    ScopeName(name="Padmé", kind="work", given=False),
    ScopeName(name="Rey", kind="work", given=False),
    ScopeName(name="The Hobbit", kind="work"),
    ScopeName(name="The Firm", kind="work"),
    ScopeName(name="哈利波特", kind="work"),
)


@pytest.fixture(scope="module")
def automaton() -> Automaton:
    return Automaton((spelt, n, not name.alone) for n, name in enumerate(NAMES) for spelt in spellings(name))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("He read Harry Potter.", 0),
        ("HARRY POTTER", 0),
        ("Harry\nPotter's owl", 0),
        ("Potter, Harry", 0),
        ("**Harry** Potter", 0),
        ("Har\u00adry Potter", 0),
        ("It isHogwarts.", 2),
        ("in HogwartsThe", 2),
        ("StarWars fans", 1),
        ("starwars fans", 1),
        ("a Star-Wars film", 1),
        ("the star  wars", 1),
        ("H-o-g-w-a-r-t-s", 2),
        ("H. o. g. w. a. r. t. s.", 2),
        ("at hogwarts", 2),
        ("ObiWan Kenobi", 3),
        ("obi wan kenobi", 3),
        ("by J. K. Rowling", 4),
        ("by JK Rowling", 4),
        ("Miss Granger", 5),
        ("Padme and", 6),
        ("Padme\u0301 and", 6),
        ("Rey, at last", 7),
        ("我喜欢哈利波特的书", 10),
        ("哈利·波特", 10),
    ],
)
def test_a_name_is_found_in_any_spelling(automaton: Automaton, text: str, name: int) -> None:
    assert automaton.names_in(text) == {name}


@pytest.mark.parametrize(
    "text",
    [
        "Harry and the potter",
        "He is a star. Wars followed.",
        "superstar wars",
        "star warship",
        "Reykjavik",
        "a granger of the county",
        "Mr. Potter came",
        "in the firm of my father",
        "hog warts",
        "Harry (Potter)",
        "",
    ],
)
def test_what_is_no_name_is_not_found(automaton: Automaton, text: str) -> None:
    assert automaton.names_in(text) == set()


def test_a_name_is_open_until_its_border_and_only_its_own_symbols_are(automaton: Automaton) -> None:
    def read(text: str) -> tuple[int, int]:
        state, count = START, 0
        for character in text:
            state, added, ended = automaton.step(state, character)
            assert not ended
            count += added
        return automaton.open(state), count

    assert read("The moon") == (0, 10)
    assert read("A star") == (5, 8)  # "<star", with its mark
    assert read("A star.")[0] == 0
    assert read("A star ")[0] == 5
    assert read("A star w")[0] == 8
    state = START
    for character in "x Rey":
        state, _, ended = automaton.step(state, character)
        assert not ended
    assert [found.name for found in automaton.end(state)] == [7]
    assert [found.name for found in automaton.step(state, "!")[2]] == [7]
    assert automaton.step(state, "k")[2] == ()


def test_common_words_and_parts_are_never_names() -> None:
    assert spellings(ScopeName(name="Apple", alone=False)) == []
    assert spellings(ScopeName(name="The Force", kind="work")) == []
    assert ["<", *"hobbit"] in spellings(ScopeName(name="The Hobbit", kind="work"))
    assert ["<", *"potter"] not in spellings(ScopeName(name="Harry Potter"))
