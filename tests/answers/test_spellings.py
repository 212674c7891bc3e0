"""A name is recognised in all its forms, and a common word is no name."""

from __future__ import annotations

from unlearned.answers.automaton import Automaton
from unlearned.answers.folding import WORD
from unlearned.answers.spellings import is_telling, spellings
from unlearned.classify.lexicon import ScopeName


def finds(name: ScopeName, text: str) -> bool:
    automaton = Automaton((spelt, 0, not name.alone) for spelt in spellings(name))
    return bool(automaton.names_in(text))


def test_every_form_of_a_persons_name_is_found_and_what_other_people_share_is_not() -> None:
    name = ScopeName(name="Thomas Alva Edison")
    for text in (
        "Thomas Alva Edison",
        "thomas edison",
        "T. A. Edison",
        "Edison, Thomas",
        "ThomasEdison",
        "Thomas Edison's lamp",
        "the Thomas Edisons of this world",
        "T-h-o-m-a-s A-l-v-a E-d-i-s-o-n",
        "THOMAS  ALVA\nEDISON.",
    ):
        assert finds(name, text), text
    for text in ("Mr. Edison", "Thomas", "Alva", "Thomas, who met Edison", "Thomas Edisonian", ""):
        assert not finds(name, text), text


def test_other_names_of_the_same_are_found_too() -> None:
    name = ScopeName(name="The Quibbler", kind="work", aliases=("Lovegood's paper",))
    for text in ("The Quibbler", "a quibbler", "LOVEGOOD'S PAPER", "Q u i b b l e r"):
        assert finds(name, text), text
    assert not finds(name, "a paper of Lovegood's")


def test_a_common_word_tells_nobody_and_letters_alone_neither() -> None:
    for form, telling in {
        "Hogwarts": True,
        "house": False,
        "of": False,
        "": False,
        "Al": False,
        "the house": False,
        "green house": True,
        "J. R.": False,
        "日": False,
        "日本": True,
        "!?": False,
    }.items():
        assert is_telling(form) is telling, form
    assert not is_telling("Hogwarts", given=False)
    assert is_telling("Hogwarts School", given=False)


def test_a_word_that_is_only_a_name_with_its_capital_has_no_forms_but_its_plural() -> None:
    given, found = (ScopeName(name="Snitch", kind="work", alone=False, given=given) for given in (True, False))
    assert spellings(given) == []
    assert spellings(found) == [[WORD, *"snitch"], [WORD, *"snitch", "s"]]


def test_no_spelling_is_there_twice_and_all_begin_with_a_word() -> None:
    for text in ("Thomas Alva Edison", "Obi-Wan Kenobi", "J. R. R. Tolkien", "Ærø", "Hogwarts"):
        own = [tuple(spelt) for spelt in spellings(ScopeName(name=text))]
        assert len(own) == len(set(own)) > 0, text
        assert {spelt[0] for spelt in own} == {WORD}, text
