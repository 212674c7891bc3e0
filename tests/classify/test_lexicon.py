"""What the names of a scope make of a text."""

from __future__ import annotations

import numpy as np
import pytest

from unlearned.classify.lexicon import Lexicon, ScopeName

GIVEN = Lexicon(
    [
        ScopeName(name="Thomas A. Edison", aliases=("the Wizard of Menlo Park",)),
        ScopeName(name="Gabriel José García Márquez"),
        ScopeName(name="Nagy Imre"),
        ScopeName(name="Harry Potter", kind="work"),
    ],
    ["phonograph"],
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("What did Edison, Thomas invent?", "What did Thomas A. Edison invent?"),
        ("WHO WAS T. EDISON?", "WHO WAS Thomas A. Edison?"),
        ("who is harry potter", "who is Harry Potter"),
        ("Where did the wizard of menlo park live?", "Where did Thomas A. Edison live?"),
        ("Was Thomas Edison American?", "Was Thomas A. Edison American?"),
    ],
)
def test_a_form_is_read_as_the_name_and_is_in_scope(text: str, read: str) -> None:
    said = GIVEN.said(text)
    assert said.text.replace("the Thomas", "Thomas") == read
    assert said.named


@pytest.mark.parametrize(
    ("text", "less"),
    [
        ("Who is Thomas Newton?", "Who is  Newton?"),
        ("who is gabriel byrne", "who is  byrne"),
        ("Who is Maria Edison?", "Who is Maria ?"),
        ("Who is García?", "Who is ?"),
        ("Edison, Tesla and Volta", ", Tesla and Volta"),
        ("Best regards,\nThomas", "Best regards,\n"),
        ("What did Imre say?", "What did  say?"),
        ("Who was Thomas Edison Jones?", "Who was   Jones?"),
    ],
)
def test_a_part_of_a_name_that_may_be_anybodys_is_not_read(text: str, less: str) -> None:
    said = GIVEN.said(text)
    assert said.text == text
    assert said.less == less
    assert not said.named


def test_the_last_name_in_a_question_is_its_bearers() -> None:
    said = GIVEN.said("What did Edison invent?")
    assert (said.less, said.named) == (None, False)


def test_a_name_that_prompts_only_mention_is_in_scope_by_the_classifier_alone() -> None:
    said = Lexicon([ScopeName(name="Thomas Edison", given=False)]).said("What did T. Edison invent? Thomas knows.")
    assert (said.text, said.less, said.named) == ("What did Thomas Edison invent? Thomas knows.", None, False)


def test_a_sealed_lexicon_says_nothing_without_the_secret() -> None:
    sealed = GIVEN.sealed(b"s" * 32)
    assert b"Edison" not in sealed.tobytes()
    again = Lexicon.unsealed(sealed, b"s" * 32)
    assert (again.names, again.words) == (GIVEN.names, GIVEN.words)
    with pytest.raises(ValueError, match="secret"):
        Lexicon.unsealed(sealed, b"t" * 32)
    with pytest.raises(ValueError, match="secret"):
        Lexicon.unsealed(np.zeros(9, dtype=np.uint8), b"s" * 32)


@pytest.mark.parametrize(
    ("text", "named", "struck"),
    [
        ("What does Apple sell?", True, False),
        ("Who founded Apple Inc.?", True, False),
        ("who is the ceo of apple inc", True, False),
        ("WHO FOUNDED APPLE?", False, False),  # for the classifier to decide
        ("what does apple sell", False, False),
        ("Apple pie is sweet.", False, False),
        ("How To Bake An Apple Pie At Home", False, False),
        ("Is an apple a fruit or a vegetable?", False, True),
        ("How do I bake an apple pie?", False, True),
    ],
)
def test_an_everyday_word_is_not_the_company_of_that_name(text: str, named: bool, struck: bool) -> None:
    lexicon = Lexicon([ScopeName(name="Apple Inc.", kind="organisation")])
    said = lexicon.said(text)
    assert said.named is named
    assert (said.less is not None) is struck
    if struck:
        assert said.text == text
        assert "apple" not in (said.less or "apple")
