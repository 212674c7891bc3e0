"""Disguises change a text, and a reader undoes them."""

from __future__ import annotations

import base64
import codecs
import html
import random
import re
import unicodedata
import urllib.parse

from cases import every
from unlearned.benchmarks.classifier import disguises
from unlearned.benchmarks.classifier.disguises import DISGUISES, typing_errors

QUESTION = 'Which book by Ana Ruiz-Ito, "The 7 Quiet Rivers", won a prize in 1998?'


def test_disguises_are_reproducible_and_change_the_text() -> None:
    for disguise in DISGUISES.values():
        written = disguise(QUESTION, random.Random(3))
        assert written != QUESTION
        assert written == disguise(QUESTION, random.Random(3))


def test_compatible_letters_are_undone_by_nfkc() -> None:
    for disguise in (disguises.fullwidth, disguises.mathematical):
        assert unicodedata.normalize("NFKC", disguise(QUESTION, random.Random(0))) == QUESTION


def test_look_alikes_keep_the_number_of_letters_and_leave_ascii() -> None:
    for disguise, script in ((disguises.cyrillic, "CYRILLIC"), (disguises.greek, "GREEK")):
        written = disguise(QUESTION, random.Random(0))
        assert len(written) == len(QUESTION)
        changed = [(a, b) for a, b in zip(QUESTION, written, strict=True) if a != b]
        assert len(changed) > 8
        assert all(
            a.isascii() and unicodedata.name(b).startswith(script) and a.isupper() == b.isupper() for a, b in changed
        )


def test_invisible_characters_and_marks_can_be_taken_out_again() -> None:
    invisible = disguises.zero_width(QUESTION, random.Random(0))
    assert "".join(c for c in invisible if unicodedata.category(c) != "Cf") == QUESTION
    assert not any(unicodedata.category(word[0]) == "Cf" for word in invisible.split())
    marked = disguises.combining_marks(QUESTION, random.Random(0))
    assert "".join(c for c in marked if not unicodedata.combining(c)) == QUESTION


def test_spacing_keeps_the_letters() -> None:
    letters = "".join(QUESTION.split())
    for disguise in (disguises.letter_spaced, disguises.letter_spaced_run, disguises.no_spaces):
        assert "".join(disguise(QUESTION, random.Random(0)).split()) == letters
    spaced = disguises.letter_spaced(QUESTION, random.Random(0))
    assert ["".join(word.split(" ")) for word in spaced.split("  ")] == QUESTION.split()
    assert "  " not in disguises.letter_spaced_run(QUESTION, random.Random(0))


def test_case_leetspeak_and_markdown_can_be_read_back() -> None:
    assert disguises.mixed_case(QUESTION, random.Random(0)).lower() == QUESTION.lower()
    leet = disguises.leetspeak("Who wrote elegant tales?", random.Random(0))
    assert leet.translate(str.maketrans("4@3105$7", "aaeiosst")).lower() == "who wrote elegant tales?"
    for seed in range(8):
        words = re.sub(r"[*_#>-]", " ", disguises.markdown("Who wrote it?", random.Random(seed))).split()
        assert words[:3] == ["Who", "wrote", "it?"]
    assert QUESTION in disguises.code_fence(QUESTION, random.Random(1))


def test_encodings_decode_to_the_question() -> None:
    def last(text: str) -> str:
        return text.partition(": ")[2]

    draw = random.Random(0)
    assert base64.b64decode(last(disguises.in_base64(QUESTION, draw))).decode() == QUESTION
    for _ in range(6):
        assert bytes.fromhex(last(disguises.in_hex(QUESTION, draw))).decode() == QUESTION
        assert html.unescape(last(disguises.html_entities(QUESTION, draw))) == QUESTION
    assert codecs.decode(last(disguises.in_rot13(QUESTION, draw)), "rot13") == QUESTION
    assert urllib.parse.unquote(disguises.url_encoded(QUESTION, draw)).endswith(f"?q={QUESTION}")
    fully = last(disguises.url_encoded_fully(QUESTION, draw))
    assert urllib.parse.unquote(fully) == QUESTION
    assert re.fullmatch(r"(%[0-9A-F]{2})+", fully)


@every("seed", range(20))
def test_typing_errors_touch_a_third_of_the_words(seed: int) -> None:
    text = "Which famous novels about rivers has the quiet author written since then"
    before, after = text.split(), typing_errors(text, random.Random(seed)).split()
    assert len(before) == len(after)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert 2 <= len(changed) <= 4  # a second slip can undo the first
    assert all(abs(len(a) - len(b)) <= 2 for a, b in changed)


def test_typing_errors_leave_what_has_no_words() -> None:
    assert typing_errors("1 + 1 = ?", random.Random(0)) == "1 + 1 = ?"
