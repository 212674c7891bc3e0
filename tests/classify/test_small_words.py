"""The language of short prompts."""

from __future__ import annotations

import pytest
from language_prompts import PROMPTS

from unlearned.classify.language import language_of
from unlearned.classify.small_words import by_small_words


def test_short_prompts_in_other_languages_are_known_and_english_ones_are_not_taken_for_them() -> None:
    foreign = {code: sum(language_of(text) != "en" for text in texts) for code, texts in PROMPTS.items()}
    assert len(foreign) == 10
    assert foreign.pop("en") <= 0.02 * 20
    assert all(found >= 0.9 * 20 for found in foreign.values()), foreign


@pytest.mark.parametrize(
    "text",
    [
        "Kim Kardashian age?", "Chi Omega sorority?", "Que Sera Sera lyrics?", "La La Land cast?", "Das Boot plot",
        "Der Spiegel circulation?", "Who directed La Vie en Rose?", "Dove soap ingredients", "El Niño effects?",
        "Los Angeles weather", "Die Hard summary", "Hoe types for gardens", "Em7 chord guitar", "De Niro movies",
        "Salt was once worth fighting wars over.", "Balance the equation: C3H8 + O2 -> CO2 + H2O",
        "What does wie mean?",
    ],
)  # fmt: skip
def test_names_and_titles_of_other_languages_make_no_english_question_foreign(text: str) -> None:
    assert by_small_words(text) is None
    assert language_of(text) == "en"
