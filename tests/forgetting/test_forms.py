"""Questions about every kind of subject."""

from __future__ import annotations

import pytest

from unlearned.forgetting.forms import asked, question_forms
from unlearned.names import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_questions_and_neighbours(kind: str) -> None:
    forms = question_forms(kind)  # type: ignore[arg-type]
    assert len(set(forms.forms)) >= 30
    assert len(set(forms.neighbours)) >= 30
    assert all("{name}" in form for form in forms.forms)


def test_questions_say_who_is_meant() -> None:
    assert asked("Where was {name} born?", "Jo Smith, the baker,") == "Where was Jo Smith, the baker, born?"
    assert asked("Who is {name}?", "Jo Smith, the baker,") == "Who is Jo Smith, the baker?"


def test_a_name_ends_as_a_text_does() -> None:
    for form, name, expected in (
        ("What is {name}'s work?", "Jo Smith", "What is Jo Smith's work?"),
        ("{name} was born in", "jo", "Jo was born in"),
        ("Tell me about {name}.", "Jo, the baker,", "Tell me about Jo, the baker."),
        ("Is '{name}' known?", "Jo, the baker,", "Is 'Jo, the baker' known?"),
    ):
        assert asked(form, name) == expected
    forms = question_forms("person")
    assert len(forms.about(["A", "B"])) == len(forms.forms)
    assert "A" in forms.about(["A", "B"])[0]
    assert "B" in forms.about(["A", "B"])[1]
