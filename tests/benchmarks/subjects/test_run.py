"""Questions about packaged subjects, written apart from what `forget` asks: what is packaged, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unlearned.benchmarks.subjects.run import KnownSubject, SubjectRow, as_markdown, known_subjects, measure_subjects
from unlearned.forgetting.forms import question_forms
from unlearned.forgetting.subject import as_subject


def test_the_packaged_questions_name_their_subject_and_are_none_that_forget_asks() -> None:
    subjects = known_subjects()
    assert len(subjects) == 10
    for subject in subjects:
        own = as_subject(subject.names, kind=subject.kind)
        lexicon, asked = own.lexicon(), set(question_forms(subject.kind).about(own.spelt()))
        assert len(subject.named) == 10
        assert not [prompt for prompt in subject.content if lexicon.places(prompt)]
        # An apple is a word of the company's name, and about something else.
        assert not [prompt for prompt in subject.close if lexicon.places(prompt) and "apple" not in prompt]
        assert sum(bool(lexicon.places(prompt)) for prompt in subject.named) >= 5
        assert len(asked & set(subject.named)) <= 4


def test_an_artifact_made_from_a_name_is_asked_everything(embedded: Any) -> None:
    subject = KnownSubject(
        ("Eiffel Tower",), "place", ("How tall is the Eiffel Tower?",), ("x?",), ("How tall is the CN Tower?",)
    )
    other = KnownSubject(("Romeo and Juliet",), "work", ("How does Romeo and Juliet end?",), (), ())
    (row,) = measure_subjects(*embedded, subjects=[subject, other], most=1, unrelated=["How do I bake bread?"])
    assert row.subject == "Eiffel Tower"
    assert (row.missed, row.close_flagged, row.unrelated_flagged) == ((), (), ())
    assert (row.named, row.close, row.content) == (1, 1, 1)
    assert row.unrelated > 20


def test_the_table_names_what_went_wrong() -> None:
    row = SubjectRow("Anna", True, ("Who is A?",), 10, 1, 2, ("Who is B?",), 6, (), 200, 61.0)
    table = as_markdown([row])
    assert "| Anna | yes | 1/10 | 1/2 | 1/6 | 0/200 | 61.0 |" in table
    assert "- missed: Who is A?" in table
    assert "- flagged for Anna: Who is B?" in table
    author = replace(row, close_flagged=(), close=0)
    assert "none asked" in as_markdown([author])
