"""Language: what is foreign, what is too short to tell, and what an encoder reads."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from unlearned.classify.base import Floats
from unlearned.classify.language import _LANGUAGES, _TRANSLATIONS, PROBE, language_of, languages_read
from unlearned.examples import background_prompts


class Meaning:
    """Puts a translation of the probe, in the languages it reads, where the probe is; everything else somewhere."""

    name = "meaning"

    def __init__(self, reads: Sequence[str], cosine: float = 0.9) -> None:
        self.reads = {_TRANSLATIONS[code] for code in reads} | {PROBE}
        self.cosine = cosine
        self.calls: list[int] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.calls.append(len(texts))
        near = (self.cosine, (1 - self.cosine**2) ** 0.5)
        return np.array(
            [(1, 0) if text == PROBE else near if text in self.reads else (0, 1) for text in texts], dtype=np.float32
        )


class Probability:
    """One number for a text, as a sequence classifier gives."""

    name = "probability"

    def encode(self, texts: Sequence[str]) -> Floats:
        return np.ones((len(texts), 1), dtype=np.float32)


ALL = list(_TRANSLATIONS)

# Languages of texts.


@pytest.mark.parametrize("code", ALL)
def test_a_question_in_another_language_is_recognised(code: str) -> None:
    assert language_of(_TRANSLATIONS[code]) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("¿Quién es Anna Berg?", "es"),
        ("Wer ist Anna Berg und was hat sie geschrieben?", "de"),
        ("Wer ist sie", "de"),
        ("Qué es?", "es"),
        ("Qui a écrit « Les Misérables » ?", "fr"),
        ("Kto napisał tę książkę i kiedy?", "pl"),
        ("Ποια βιβλία έγραψε αυτή η συγγραφέας;", "el"),
        ("איזה ספרים כתבה הסופרת הזאת?", "he"),
        ("ผู้เขียนคนนี้เขียนหนังสืออะไรบ้าง", "th"),
        ("এই লেখিকা কোন বই লিখেছেন?", "bn"),
        ("Які книги написала ця письменниця?", "uk"),
    ],
)
def test_other_languages(text: str, code: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    ("text", "codes"),
    [("Кто это?", {"ru", "bg", "uk", "sr", "mk"}), ("谁是安娜", {"zh", "ja"}), ("누구입니까", {"ko"})],
)
def test_other_alphabets_show_in_a_few_letters(text: str, codes: set[str]) -> None:
    assert language_of(text) in codes


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Hi",
        "Hola",
        "你好",
        "Яна",
        "?!...",
        "12345678901234567890",
        "3x - 7 = 2x + 11",
        "😀😀😀😀😀😀😀😀😀😀😀😀😀",
    ],
)
def test_short_texts_and_such_without_letters_are_not_judged(text: str) -> None:
    assert language_of(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        PROBE,
        "Who is Anna Berg?",
        "Which awards has Jaime Vasquez won for his true crime books?",
        "Pádraig Ó Luasaigh was born where?",
        "def total(items): return sum(item.price for item in items)",
        "V2hvIGlzIEFubmEgQmVyZyBhbmQ=",
        "Anna Berg, Anna Berg, Anna Berg",
        "how u doin, wanna tell me who she is?",
        "The café's façade is naïve, and the Škoda is in Zürich.",
    ],
)
def test_english_code_and_names_are_english(text: str) -> None:
    assert language_of(text) == "en"


def test_very_few_english_prompts_are_taken_for_foreign() -> None:
    english = [prompt for prompt in background_prompts() if prompt.isascii()]
    assert len(english) > 1000
    common = {"the", "a", "an", "is", "of", "to", "in", "what", "how"}
    english = [prompt for prompt in english if len(common & set(prompt.lower().split())) >= 2]
    assert len(english) > 800
    foreign = [prompt for prompt in english if language_of(prompt) != "en"]
    assert len(foreign) <= 0.01 * len(english), foreign


# What an encoder reads.


def test_an_encoder_reads_the_languages_whose_translations_it_puts_beside_the_original() -> None:
    assert languages_read(Meaning([])) == frozenset()
    assert languages_read(Meaning(["de", "fr"])) == {"de", "fr"}


def test_an_encoder_that_reads_most_languages_is_taken_to_read_the_others() -> None:
    twelve, thirteen = languages_read(Meaning(ALL[:12])), languages_read(Meaning(ALL[:13]))
    assert twelve == set(ALL[:12])
    assert thirteen == (set(_LANGUAGES) - set(ALL)) | set(ALL[:13])
    assert languages_read(Meaning(ALL)) == set(_LANGUAGES)


@pytest.mark.parametrize(("cosine", "reads"), [(0.72, True), (0.68, False), (-1.0, False)])
def test_beside_means_a_cosine_of_0_7(cosine: float, reads: bool) -> None:
    assert bool(languages_read(Meaning(ALL, cosine))) is reads


def test_a_classifier_without_vectors_reads_english_only() -> None:
    assert languages_read(Probability()) == frozenset()


def test_an_encoder_is_measured_once() -> None:
    encoder = Meaning(["de"])
    for _ in range(3):
        languages_read(encoder)
    assert encoder.calls == [1 + len(ALL)]
    assert languages_read(Meaning(["fr"])) == {"fr"}  # another one by itself
    assert languages_read(encoder) == {"de"}


def test_measuring_keeps_no_encoder_alive() -> None:
    encoder = Meaning(["de"])
    languages_read(encoder)
    reference = weakref.ref(encoder)
    del encoder
    gc.collect()
    assert reference() is None


def test_an_encoder_that_fails_is_measured_again() -> None:
    class Fails(Meaning):
        def encode(self, texts: Sequence[str]) -> Floats:
            if not self.calls:
                self.calls.append(0)
                raise OSError("gone")
            return super().encode(texts)

    encoder = Fails(["de"])
    with pytest.raises(OSError, match="gone"):
        languages_read(encoder)
    assert languages_read(encoder) == {"de"}


def test_the_translations_and_the_languages_fit() -> None:
    assert set(ALL) | {"en"} <= set(_LANGUAGES)
    assert len(set(_LANGUAGES)) == len(_LANGUAGES)
    assert len(set(_TRANSLATIONS.values())) == len(ALL)
