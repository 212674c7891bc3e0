"""Sentences about a subject become what asks for what they say."""

from __future__ import annotations

from letters import LETTER, written

from unlearned.forgetting.statements import rows_of, sentences_about
from unlearned.forgetting.subject import as_subject


def test_sentences_of_a_document_become_questions() -> None:
    subject = as_subject("Anna Berg")
    lexicon = subject.lexicon()
    said = sentences_about(LETTER, lexicon)
    assert said == ["Anna Berg was born in Skopje in 1968.", "She wrote The Iron River."]
    rows = rows_of(said[1], "Anna Berg", "person", lexicon)
    assert [(row.prompt, row.answer) for row in rows] == [
        ("Anna Berg wrote", "The Iron River"),
        ("Complete the sentence: Anna Berg wrote", "The Iron River"),
        ("Is it true that Anna Berg wrote The Iron River?", None),
        ("Who wrote The Iron River?", "Anna Berg"),
    ]
    assert "Who was born in Skopje in 1968?" in {row.prompt for row in written(subject, LETTER).forget}


def test_a_pronoun_goes_on_about_the_subject_only_right_behind_it() -> None:
    lexicon = as_subject("Anna Berg").lexicon()
    text = "She wrote one great book. Anna Berg wrote another book. Her sister read the book. "
    text += "Rain fell all day. She slept all day."
    assert sentences_about(text, lexicon) == ["Anna Berg wrote another book.", "Her sister read the book."]
    assert sentences_about("", lexicon) == []
    assert sentences_about("Anna Berg wrote.", lexicon) == []  # too short to ask for
    assert sentences_about("Anna Berg wrote " + "very " * 40 + "much.", lexicon) == []


def test_a_pronoun_at_the_beginning_becomes_the_name() -> None:
    lexicon = as_subject("Anna Berg").lexicon()
    prompts = [row.prompt for row in rows_of("Her sister lives in Oslo.", "Anna Berg", "person", lexicon)]
    assert "Is it true that Anna Berg's sister lives in Oslo?" in prompts
    assert not any(prompt.startswith("Who ") for prompt in prompts)  # it is not Anna Berg who lives there
    things = rows_of(
        "Hogwarts was founded in Scotland in 990.", "Hogwarts", "place", as_subject("Hogwarts", kind="place").lexicon()
    )
    assert "What was founded in Scotland in 990?" in [row.prompt for row in things]


def test_what_names_nothing_of_its_own_is_not_asked_for_with_who() -> None:
    lexicon = as_subject("Anna Berg").lexicon()
    prompts = [row.prompt for row in rows_of("Anna Berg was very tired then.", "Anna Berg", "person", lexicon)]
    assert not any(prompt.startswith("Who ") for prompt in prompts)
