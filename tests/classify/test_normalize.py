"""Disguises of single letters are undone, ordinary text is left alone, and every character is traced back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import numpy as np
import pytest

from cases import every
from unlearned.classify.normalize import _LOOK_ALIKES, AlignedText, as_written, normalize, normalized

ASK = "Who is Anna Berg?"


def whole(text: str) -> AlignedText:
    return normalized(as_written(text, 0, len(text)))


def moved(text: str, first: int, capital: int) -> str:
    """The ASCII letters of `text` as the letters of another block."""
    return "".join(
        chr((capital if letter.isupper() else first) + ord(letter.lower()) - ord("a")) if letter.isalpha() else letter
        for letter in text
    )


# Disguises.


@pytest.mark.parametrize(
    "written",
    [
        "Ｗｈｏ ｉｓ Ａｎｎａ Ｂｅｒｇ？",
        moved(ASK, 0x1D41A, 0x1D400),
        moved(ASK, 0x1D4EA, 0x1D4D0),
        moved(ASK, 0x1D586, 0x1D56C),
        moved(ASK, 0x1D5EE, 0x1D5D4),
        moved(ASK, 0x1D68A, 0x1D670),
        moved(ASK, 0x24D0, 0x24B6),
        "Wʰo is ᴬnna Berg?",
    ],
)
def test_letters_in_another_style_are_letters(written: str) -> None:
    assert written != ASK
    assert normalize(written) == ASK


def test_letters_like_ligatures_become_all_their_letters() -> None:
    assert normalize("a ﬁne eﬃcient ﬂag") == "a fine efficient flag"


@pytest.mark.parametrize("capital", [0x1F130, 0x1F150, 0x1F170, 0x1F1E6])
def test_letters_in_squares_dark_circles_and_flags(capital: int) -> None:
    assert normalize(moved("ANNA BERG", capital, capital)).upper() == "ANNA BERG"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Whо is Аnnа Berg?", ASK),  # Cyrillic letters in Latin words
        ("Who іs Anna Bеrg?", ASK),
        ("Whο is Αnna Βerg?", ASK),  # Greek
        ("Who is Anոa Berց?", ASK),  # Armenian
        ("Who is Ꭺnna Ᏼerg?", ASK),  # Cherokee
        ("Who is Аппа?", "Who is Anna?"),  # not one Latin letter in the word
        ("ᴡʜᴏ ɪꜱ ᴀɴɴᴀ ʙᴇʀɢ?", ASK.lower()),  # small capitals
        ("Who is Łuøđ?", "Who is Luod?"),
    ],
)
def test_look_alikes_become_the_latin_letters(written: str, seen: str) -> None:
    assert normalize(written) == seen


@every(("other", "latin"), _LOOK_ALIKES.items())
def test_every_look_alike_of_the_table_is_undone(other: str, latin: str) -> None:
    assert not other.isascii()
    assert re.fullmatch("[A-Za-z]", latin)
    assert normalize(f"x{other}x") == f"x{latin}x"


@every("code", [0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD, 0x202E, 0x2066, 0x034F, 0x180E])
@every("code_2", [0x115F, 0x3164, 0xFE0F, 0xE0100, 0x2063, 0xE000])
def test_invisible_characters_go(code: int, code_2: int) -> None:
    written = "".join(letter + chr(code) + chr(code_2) for letter in ASK)
    assert normalize(written) == ASK


@every("code", [0x00, 0x07, 0x08, 0x1B, 0x7F])
def test_control_characters_go(code: int) -> None:
    written = ASK.replace("nn", f"n{chr(code)}n")
    assert normalize(written) == ASK
    assert normalize(written.replace("a", "а")) == ASK


@every("code", [0x00, 0x07, 0x08, 0x1B, 0x7F])
def test_control_characters_go_where_another_word_is_not_ascii(code: int) -> None:
    assert normalize(ASK.replace("nn", f"n{chr(code)}n") + " 你好") == ASK + " 你好"


def test_tabs_and_line_breaks_stay() -> None:
    assert normalize("one\ttwo\r\nthree\n\nfour é") == "one\ttwo\r\nthree\n\nfour e"


def test_the_invisible_copy_of_ascii_is_read() -> None:
    assert normalize("Hello " + "".join(chr(0xE0000 + ord(letter)) for letter in ASK)) == f"Hello {ASK}"


def test_marks_piled_on_letters_go() -> None:
    marks = "\u0300\u0317\u0334\u0338\u035d\u0361\u036f\u1ab0\u1dc4\u20d0\u20e3\ufe20"
    assert normalize("".join(letter + marks if letter.isalpha() else letter for letter in ASK)) == ASK


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Pádraig Ó Luasaigh", "Padraig O Luasaigh"),
        ("Ángström, naïve, façade, Jindřichů", "Angstrom, naive, facade, Jindrichu"),
        ("Vlahuţă Ġorġ Nguyễn", "Vlahuta Gorg Nguyen"),
        ("cafe\u0301", "cafe"),
        ("ёлка", "елка"),
        ("Αθήνα", "Αθηνα"),
    ],
)
def test_accents_on_latin_greek_and_cyrillic_letters_go(written: str, seen: str) -> None:
    assert normalize(written) == seen


@pytest.mark.parametrize(
    "text",
    [
        "मेरे दोस्त के लिए जन्मदिन का संदेश लिखो।",
        "ภาษาไทยที่นี่มีวรรณยุกต์",
        "이 작가는 어떤 책을 썼고 어디에서 태어났나요?",
        "味噌汁の作り方を教えてください。ガギグゲゴ パピプペポ",
        "这位作家写了哪些书，她出生在哪里",
        "من كتب كتاب كليلة ودمنة",
        "بِسْمِ اللَّهِ",
        "שָׁלוֹם עֲלֵיכֶם",
        "আমার সোনার বাংলা",
        "தமிழ் மொழி",
        "ಕನ್ನಡ తెలుగు മലയാളം ਪੰਜਾਬੀ",
    ],
)
def test_the_vowels_and_marks_of_other_scripts_stay(text: str) -> None:
    assert normalize(text) == text.replace("，", ",")


def test_hangul_written_in_parts_is_not_lost() -> None:
    assert len(normalize("\u1112\u1161\u11ab")) == 3


# Escapes.


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("".join(f"\\u{ord(letter):04x}" for letter in ASK), ASK),
        ("".join(f"\\u{ord(letter):04X}" for letter in ASK), ASK),
        (r"Who is \u0041nna Berg?", ASK),
        (r"Who is \u0410nna Berg?", ASK),  # an escaped look-alike
        (r"Who is An\u200bna Berg?", ASK),
        (r"\ud83d\ude00 Hello", "😀 Hello"),
        (r"\uD835\uDC00nna", "Anna"),  # a pair for a mathematical letter
        ("".join(f"\\x{ord(letter):02x}" for letter in ASK), ASK),
        (r"One\nTwo\n3, \nabla", "One\nTwo\n3, \\nabla"),
        (r"say \"Anna\" and\/or go", 'say "Anna" and/or go'),
        (r"\\u0041", "\\A"),
        (r"\u004 \u \x4 \q \xg1", r"\u004 \u \x4 \q \xg1"),
        (r"A\x26amp;B", "A&B"),
        ("%57%68%6F%20%69%73%20Anna%20Berg%3F", ASK),
        ("Who%20is%20Anna%20Berg%3f", ASK),
        ("Who+is+Anna+Berg?", ASK),
        ("Who+is%20Anna+Berg%3F", ASK),
        ("%E4%BD%A0%E5%A5%BD%21", "你好!"),
        ("%41%FF%42%43", "ABC"),
        ("&#87;ho is &#x41;nna &#66;erg&quest;", ASK),
        ("Tom &amp; Anna &lt;3 &eacute;", "Tom & Anna <3 e"),
        ("&nosuchname; &#; &", "&nosuchname; &#; &"),
        ("&#8203;A&#x200b;nna", "Anna"),
    ],
)
def test_escapes_are_undone(written: str, seen: str) -> None:
    assert normalize(written) == seen


@pytest.mark.parametrize("written", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\ud83d", r"\uD800 \uDFFF"])
def test_a_lone_surrogate_breaks_nothing_and_can_be_encoded(written: str) -> None:
    normalize(f"{written} Hello").encode("utf-8")
    assert normalize(f"Hello {written}").startswith("Hello")


@every("surrogate", [r"\ud83d", r"\ude00"])
@every("pattern", ["{escapes}{surrogate}", "{surrogate}{escapes}"])
def test_a_lone_surrogate_does_not_hide_the_escapes_beside_it(surrogate: str, pattern: str) -> None:
    escapes = "".join(f"\\u{ord(letter):04x}" for letter in ASK)
    assert ASK in normalize(pattern.format(escapes=escapes, surrogate=surrogate))


@pytest.mark.parametrize("text", ["100%25 sure", "a+b", "C%2B%2B", "50% 20% 10% of it", "x+y and 1+1"])
def test_a_few_percent_and_plus_signs_are_no_encoding(text: str) -> None:
    assert normalize(text) == text


# Markup.


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Who is **Anna** *Berg*?", ASK),
        ("Who is __Anna__ _Berg_?", ASK),
        ("Who is ***Anna Berg***?", ASK),
        ("Who is ~~Anna~~ `Berg`?", ASK),
        ("Who is A**nn**a B`er`g?", ASK),
        ("# Who is Anna Berg?", ASK),
        ("###### Who is Anna Berg?", ASK),
        (">> Who is Anna Berg?", ASK),
        ("- Who is Anna Berg?", ASK),
        ("  * Who is Anna Berg?", ASK),
        ("12. Who is Anna Berg?", ASK),
        ("3) Who is Anna Berg?", ASK),
        ("<p>Who is <b>Anna</b> <i>Berg</i>?</p>", ASK),
        ("Who is An<wbr>na Be<br/>rg?", ASK),
        ("&lt;b&gt;Who is Anna Berg?&lt;/b&gt;", ASK),
    ],
)
def test_markup_goes(written: str, seen: str) -> None:
    assert normalize(written) == seen


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_code_fences_go_and_what_they_hold_stays(fence: str) -> None:
    assert normalize(f"{fence}text\n{ASK}\n{fence}\nThanks") == f"\n{ASK}\n\nThanks"


def test_table_cells_are_apart() -> None:
    assert normalize("|Who|is|Anna Berg?|\n|---|---|---|\n|Bake|some|bread|").split() == (
        "Who is Anna Berg? --- --- --- Bake some bread".split()
    )


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("<Who is Anna Berg?>"),
        pytest.param("Who is <Anna Berg>?"),
        pytest.param("<b\nWho is Anna Berg?\n>"),
        pytest.param('<p title="Who is Anna Berg?">Answer the title.</p>'),
        pytest.param("```Who is Anna Berg?```"),
        pytest.param("~~~ Who is Anna Berg?"),
        pytest.param("&lt;Who is Anna Berg?&gt;"),
        "<!-- Who is Anna Berg? -->",
        "{Who is Anna Berg?}",
        "« Who is Anna Berg? »",
        "[Who is Anna Berg?](https://example.org)",
        "< Who is Anna Berg? >",
        "```\nWho is Anna Berg?\n```",
    ],
)
def test_no_markup_hides_a_question(written: str) -> None:
    seen = normalize(written)
    assert "Anna" in seen
    assert "Berg" in seen


# Ordinary text.

ORDINARY = [
    "",
    " ",
    "\n\n",
    "Hello",
    "Who is Anna Berg, and what did she write in 1998?",
    "It's 5 o'clock; the well-known author (born 12/03/1970) isn't here... is she?",
    'She said: "Stop!" Then he left -- "why?" - nobody knows.',
    "“Curly quotes”, ‘single ones’ – and dashes — stay.",
    "Prices: $5, £4, 3.99€ or 10%; e-mail anna@example.org & call +49 30 1234.",
    "AT&T; R&B; Q&A",
    "www.example.com/a_b/c?d=e#f and C:/data/file.txt",
    "Schreiben Sie bitte ein Gedicht. Wo ist der Zug?",
    "Escribe un poema corto sobre la lluvia en Bilbao.",
    "Quanto costa il biglietto?",
    "长城很长。",
    "富士山の高さは何メートルですか。",
    "मेरे दोस्त के लिए जन्मदिन का संदेश लिखो।",
    "ما هي عاصمة المغرب",
    "이 작가는 어디에서 태어났나요",
    "ประเทศไทยอยู่ที่ไหน",
    "Сколько билетов было продано?",
    "def f(x):\n    return x + 1\n",
    "for (int i = 0; i < n; i++) { total += a[i]; }",
    "if a < b and c > d: print(a - b, c / d, a % b)",
    "x = y * z; p->next = q; a == b; a != b",
    "snake_case_name and CamelCase and kebab-case",
    "a_b__c___d",
    "Solve 3x - 7 = 2x + 11 for x; 2*3*4 = 24; 2^10; n! / k!",
    "f(x) = (x - 1)(x + 1), x <= 3, y >= 4",
    "C3H8 + 5 O2 -> 3 CO2 + 4 H2O",
    "∑ x_i ≤ 3, ∀ x ∈ A: x ≠ 0, ∫ f dx → ∞",
    "Is 7 > 5? Yes, and 3 < 4.",
    "-5 degrees, +3 points, 3.14, 1,000",
    "😀 👍 ok",
]


@every("text", ORDINARY)
def test_ordinary_text_is_unchanged_character_by_character(text: str) -> None:
    seen = whole(text)
    assert seen.text == text
    assert [seen.original(n, n + 1) for n in range(len(text))] == [(n, n + 1) for n in range(len(text))]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Где он родился и как его зовут?"),
        pytest.param("Сколько стоит билет на метро в Петербурге?"),
        pytest.param("Ποιος ειναι ο συγγραφεας;"),
        pytest.param("If α = 3 and β = 4, what is α + β?"),
        pytest.param("What is 2**10?"),
        pytest.param("f(x) = x*y*z"),
        pytest.param("#include <stdio.h>"),
        pytest.param("List<String> names = new ArrayList<String>();"),
        pytest.param("Is a <b and c> d?"),
        pytest.param(r"Open C:\Users\name\reports\temp"),
        pytest.param(r"Show that $\rho \times \theta \neq \nabla$."),
    ],
)
def test_ordinary_text_that_resembles_a_disguise_is_unchanged(text: str) -> None:
    assert normalize(text) == text


@every("text", ORDINARY)
def test_reading_twice_changes_nothing_more(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


# Where characters come from.


def random_text(seed: int, letters: str) -> str:
    rng = np.random.default_rng(seed)
    return "".join(letters[i] for i in rng.integers(0, len(letters), size=int(rng.integers(1, 120))))


HOSTILE = "abA é\u0301\u200bо\\u0041x%26+&#;<>/*_`~|#-1. \n\"'\ufb01\U0001d400你\U000e0041\x00\ud83d"


def in_bounds(text: str, start: int, end: int) -> None:
    seen = normalized(as_written(text, start, end))
    assert len(seen.starts) == len(seen.ends) == len(seen.text)
    for n in range(len(seen.text)):
        first, last = seen.original(n, n + 1)
        assert start <= first < last <= end
    if seen.text:
        assert seen.original(0, len(seen.text)) == (min(seen.starts), max(seen.ends))
    # In order: an earlier character does not come from a later place.
    assert list(seen.starts) == sorted(seen.starts)
    assert list(seen.ends) == sorted(seen.ends)


@every("seed", range(150))
def test_characters_come_from_within_the_text_in_order(seed: int) -> None:
    text = random_text(seed, HOSTILE)
    in_bounds(text, 0, len(text))
    in_bounds(f"xx{text}yyy", 2, 2 + len(text))


PLAIN = "abcdefgxyzABCUVW 0123456789.,;:!?'\"()[]{}=$@^\n"


@every("seed", range(60))
def test_ascii_text_without_markup_maps_to_itself(seed: int) -> None:
    text = random_text(seed, PLAIN)
    seen = normalized(as_written(f"<<{text}>>", 2, 2 + len(text)))
    assert seen.text == text
    assert [seen.original(n, n + 1) for n in range(len(text))] == [(n + 2, n + 3) for n in range(len(text))]


PIECES: list[tuple[str, str]] = [
    # as written, as seen
    ("Anna ", "Anna "),
    ("word ", "word "),
    ("\\u0041b ", "Ab "),
    ("\\ud83d\\ude00 ", "😀 "),
    ("\\x41 ", "A "),
    ("é ", "e "),
    ("e\u0301\u0334 ", "e "),
    ("A\u200bn ", "An "),
    ("ﬁn ", "fin "),
    ("Аnn ", "Ann "),
    ("\U0001d400 ", "A "),
    ("&amp; ", "& "),
    ("&#65; ", "A "),
    ("**bold** ", "bold "),
    ("`code` ", "code "),
    ("<b>tag</b> ", "tag "),
    ("你好 ", "你好 "),
    ("\U000e0041 ", "A "),
]


@every("seed", range(60))
def test_text_made_of_pieces_comes_from_the_pieces(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = [PIECES[i] for i in rng.integers(0, len(PIECES), size=12)]
    written = "".join(piece for piece, _ in chosen)
    seen = whole(written)
    assert seen.text == "".join(piece for _, piece in chosen)
    place = cursor = 0
    for piece, result in chosen:
        first, last = seen.original(cursor, cursor + len(result))
        assert place <= first
        assert last == place + len(piece)  # every piece ends with its space
        for n in range(cursor, cursor + len(result)):
            assert place <= seen.original(n, n + 1)[0] < seen.original(n, n + 1)[1] <= place + len(piece)
        place, cursor = place + len(piece), cursor + len(result)


@pytest.mark.parametrize(
    ("written", "seen", "behind"),
    [
        (r"x \u0041\u0042 y", "AB", r"\u0041\u0042"),
        ("x %41%42%43 y", "ABC", "%41%42%43"),
        ("x &eacute; y", "e", "&eacute;"),
        ("x ﬁ y", "fi", "ﬁ"),
        ("x А\u200bnn\u200ba y", "Anna", "А\u200bnn\u200ba"),
        ("x <b>Anna</b> y", "Anna", "Anna"),
        ("x A<i>nn</i>a y", "Anna", "A<i>nn</i>a"),
    ],
)
def test_the_characters_behind_a_passage(written: str, seen: str, behind: str) -> None:
    reading = whole(written)
    start = reading.text.index(seen)
    first, last = reading.original(start, start + len(seen))
    assert written[first:last] == behind


def test_only_the_given_part_is_read() -> None:
    text = "<user>\\u0041nna</user>"
    reading = normalized(as_written(text, 6, 15))
    assert reading.text == "Anna"
    assert reading.original(0, 4) == (6, 15)


def test_sub_replaces_as_re_does_and_keeps_track() -> None:
    reading = as_written("..ab12cd3..", 2, 9)
    result = reading.sub(re.compile(r"\d+"), lambda match: "#" * (len(match[0]) + 1))
    assert result.text == "ab###cd##"
    assert [result.original(n, n + 1) for n in (1, 2, 4, 5, 7)] == [(3, 4), (4, 6), (4, 6), (6, 7), (8, 9)]
    letter_by_letter = reading.sub(re.compile(r"\d+"), lambda match: [digit * 2 for digit in match[0]])
    assert letter_by_letter.text == "ab1122cd33"
    assert [letter_by_letter.original(n, n + 1) for n in (2, 3, 4, 5)] == [(4, 5), (4, 5), (5, 6), (5, 6)]
    assert reading.sub(re.compile("x"), lambda match: "y") is reading


# Time.


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(lambda n: "x" * n + " é", id="a word, an accent"),
        pytest.param(lambda n: "é" * 3 + "/" * n, id="slashes, an accent"),
        pytest.param(lambda n: "." * n + " é", id="dots, an accent"),
        pytest.param(lambda n: "\n" * n + "a", id="line breaks"),
        pytest.param(lambda n: " \n" * (n // 2) + "a", id="empty lines"),
        pytest.param(lambda n: "a" + "_" * n + "a", id="underscores in a word"),
        pytest.param(lambda n: "é" * n, id="accents"),
        pytest.param(lambda n: "а" * n, id="look-alikes"),
        pytest.param(lambda n: "a" + "\u0301" * n, id="marks"),
        pytest.param(lambda n: "\u200b" * n, id="invisible"),
        pytest.param(lambda n: "a" + "*" * n + "a", id="stars in a word"),
        pytest.param(lambda n: "*" * n, id="stars"),
        pytest.param(lambda n: "<a" * (n // 2), id="open tags"),
        pytest.param(lambda n: "&" * n, id="ampersands"),
        pytest.param(lambda n: "&#" * (n // 2), id="open entities"),
        pytest.param(lambda n: "\\u0041" * (n // 6), id="escapes"),
        pytest.param(lambda n: "\\u" * (n // 2), id="open escapes"),
        pytest.param(lambda n: "%41" * (n // 3), id="percent"),
        pytest.param(lambda n: "|" * n, id="bars"),
        pytest.param(lambda n: " " * n + "# x", id="spaces"),
        pytest.param(lambda n: "- \n" * (n // 3), id="lists"),
        pytest.param(lambda n: "`" * n, id="fence"),
        pytest.param(lambda n: "1" * n + "x", id="digits"),
        pytest.param(lambda n: "x+" * (n // 2), id="pluses"),
    ],
)
def test_no_text_makes_the_reading_slow(hostile: Callable[[int], str]) -> None:
    normalize("warm up é")
    for length in (6_250, 12_500, 25_000, 50_000):  # stops early where the time grows with the square
        text = hostile(length)
        start = time.process_time()
        normalized(as_written(text, 0, len(text)))
        assert time.process_time() - start < 0.1 + 25e-6 * length
