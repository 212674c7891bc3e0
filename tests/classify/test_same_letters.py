"""A name is found however its letters are drawn: measured for fictional names in 25 ways of writing them."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable

import pytest

from unlearned.classify.garbled import in_digits
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.normalize import as_written, normalize, normalized

NAMES = ["Hogwarts", "Harry Potter", "Dumbledore", "Voldemort", "Quidditch", "Maxwell Jenkins", "Zyphora Vexley"]


def by_table(own: str, others: str, case: Callable[[str], str] = str) -> Callable[[str], str]:
    table = str.maketrans(own, others)
    return lambda name: case(name).translate(table)


def with_mark(mark: str) -> Callable[[str], str]:
    return lambda name: unicodedata.normalize("NFC", "".join(c + mark if c.isalpha() else c for c in name))


def moved(lower: int, upper: int) -> Callable[[str], str]:
    letters = "".join(map(chr, (*range(lower, lower + 26), *range(upper, upper + 26))))
    return by_table(string.ascii_letters, letters)


STYLES: dict[str, Callable[[str], str]] = {
    "full width": moved(0xFF41, 0xFF21),
    "mathematical": moved(0x1D41A, 0x1D400),
    "in circles": moved(0x24D0, 0x24B6),
    "flags": moved(0x1F1E6, 0x1F1E6),
    "acute": with_mark("\u0301"),
    "umlaut": with_mark("\u0308"),
    "dot below": with_mark("\u0323"),
    "ogonek": with_mark("\u0328"),
    "struck through": with_mark("\u0338"),
    "soft hyphens": "\u00ad".join,
    "Cyrillic vowels": by_table("aeoy", "аеоу"),
    "Cyrillic, all that there are": by_table("aceopxyijshkmtABCEHIJKMOPSTXY", "асеорхуіјѕһкмтАВСЕНІЈКМОРЅТХУ"),
    "Cyrillic capitals": by_table("ABCEHIJKMOPSTXY", "АВСЕНІЈКМОРЅТХУ", str.upper),
    "Greek, all that there are": by_table("aoviukpntxeABEHIKMNOPTXYZ", "αονιυκρητχεΑΒΕΗΙΚΜΝΟΡΤΧΥΖ"),
    "Greek letters in between": by_table("wnrsdhu", "ωηгςδһμ"),
    "Armenian": by_table("hnouqgSUO", "հոօսզցՏՍՕ"),
    "Cherokee": by_table("ABCDEGHJKLMPRSTVWYZ", "ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᎩᏃ", str.upper),
    "Lisu": by_table("ABCDEFGHIJKLMNOPRSTUVWXYZ", "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", str.upper),
    "Coptic": by_table("oOcCpPHKM", "ⲟⲞⲥⲤⲣⲢⲎⲔⲘ"),
    "strokes and hooks": by_table(
        "bcdefghijklmnoprstuvwyzBCDEFGHIJKLMNOPRTUVWYZ", "ƀȼđɇƒǥħɨɉƙłɱɲøƥɍʂŧʉʋⱳɏƶɃȻĐɆƑǤĦƗɈⱩŁⱮƝØⱣɌŦɄƲⱲɎƵ"
    ),
    "small capitals": by_table("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", str.lower),
    "raised": by_table("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", str.lower),
    "phonetic": by_table("aegiorv", "ɑɛɡɩɔɾʋ"),
    "turned": by_table("aehmrtvwy", "ɐǝɥɯɹʇʌʍʎ"),
    "without a dot, long s": by_table("is", "ıſ"),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_name_is_read_in_every_way_of_drawing_its_letters(style: str) -> None:
    for name in NAMES:
        written = STYLES[style](name)
        assert not written.isascii() or written == name
        assert name.lower() in normalize(f"Tell me about {written}, please.").lower(), written


@pytest.mark.parametrize("written", ["H0gwarts", "Hogw4rt5", "H0GW4RTS", "P0tt3r", "V0ld3m0rt", "Qu1dd1tch"])
def test_one_word_in_digits_is_read_where_it_is_a_word_of_a_scope(written: str) -> None:
    words = ("hogwarts", "voldemort", "quidditch")
    lexicon = Lexicon([ScopeName(name="Harry Potter", kind="person")], words)
    text = f"Tell me about {written}, please."
    found = in_digits(normalized(as_written(text, 0, len(text))), lexicon.all_words)
    assert found
    assert all(word in " ".join((*words, "potter")) for word in found[0].text.lower().split()[3].rstrip(",").split())
    start = found[0].text.index(found[0].text.split()[3])
    assert text[slice(*found[0].original(start, start + len(written)))] == written
    assert in_digits(normalized(as_written(text, 0, len(text))), frozenset({"bread"})) == []


@pytest.mark.parametrize("text", ["Buy 3 loaves for 2 dollars at 10:30.", "h4 tags, b2b and 4x4", "In 1998?"])
def test_ordinary_digits_stay(text: str) -> None:
    assert in_digits(normalized(as_written(text, 0, len(text))), frozenset({"hogwarts", "potter"})) == []


@pytest.mark.parametrize(
    "text",
    [
        "Ποιος ειναι ο συγγραφεας;",
        "Πως σε λενε και ποσων ετων εισαι;",
        "Где он родился и как его зовут?",
        "Сколько стоит билет на метро в Петербурге?",
        "Ո՞վ է գրել այս գիրքը։",
    ],
)
def test_other_languages_stay_what_they_are(text: str) -> None:
    letters = [c for c in normalize(text) if c.isalpha()]
    assert not any(c.isascii() for c in letters)
