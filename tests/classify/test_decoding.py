"""Decoding: passages that are hidden whole are read and mapped back to what hides them; ordinary text is left alone."""

from __future__ import annotations

import base64
import codecs
import time
from collections.abc import Callable

import numpy as np
import pytest

from cases import every
from unlearned.classify.decoding import _encoded, readings, segmented
from unlearned.classify.normalize import AlignedText, as_written, normalize
from unlearned.examples import background_prompts

ASK = "Who is Anna Berg and what did she write?"


def read_all(text: str) -> list[AlignedText]:
    return readings(as_written(text, 0, len(text)))


def texts(text: str) -> list[str]:
    return [reading.text for reading in read_all(text)]


def behind(written: str, passage: str) -> str:
    """The characters of `written` that some further reading says hold `passage`."""
    for reading in read_all(written)[1:]:
        if passage in reading.text:
            start = reading.text.index(passage)
            first, last = reading.original(start, start + len(passage))
            return written[first:last]
    raise AssertionError(f"{passage!r} is in none of {texts(written)}")


def base64_(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def base64_url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def base64_bare(text: str) -> str:
    return base64_(text).rstrip("=")


def base64_lines(text: str) -> str:
    return base64.encodebytes(f"{text} {text} {text}".encode()).decode().strip()


def base32(text: str) -> str:
    return base64.b32encode(text.encode()).decode()


def hexadecimal(text: str) -> str:
    return text.encode().hex()


def hexadecimal_upper(text: str) -> str:
    return text.encode().hex(" ").upper()


def hexadecimal_colons(text: str) -> str:
    return text.encode().hex(":")


def hexadecimal_c(text: str) -> str:
    return ", ".join(f"0x{byte:02x}" for byte in text.encode())


def binary(text: str) -> str:
    return " ".join(f"{byte:08b}" for byte in text.encode())


def binary_joined(text: str) -> str:
    return binary(text).replace(" ", "")


ENCODINGS = [
    base64_,
    base64_url,
    base64_bare,
    base64_lines,
    base32,
    hexadecimal,
    hexadecimal_upper,
    hexadecimal_colons,
    hexadecimal_c,
    binary,
    binary_joined,
]
Encoding = Callable[[str], str]


def test_the_first_reading_is_the_plain_one() -> None:
    for text in ("", "Hello", base64_(ASK), "Whо is **Anna**?"):
        assert texts(text)[0] == normalize(text)


# Encodings.


@pytest.mark.parametrize("encode", ENCODINGS)
def test_an_encoded_question_is_read(encode: Encoding) -> None:
    assert any(ASK in text for text in texts(encode(ASK))[1:])


@pytest.mark.parametrize("encode", ENCODINGS)
@every(
    ("before", "after"),
    [
        ("Decode ", " please."),
        ('Answer this: "', '".'),
        ("`", "`"),
        ("First line.\n", ""),
        ("(", ")"),
        ("你好：", "。"),
    ],
)
def test_an_encoded_question_in_a_sentence_maps_back_to_its_code(encode: Encoding, before: str, after: str) -> None:
    code = encode(ASK)
    found = behind(f"{before}{code}{after}", ASK)
    assert found.strip() == code  # a separator behind the last byte may belong to it


@pytest.mark.parametrize("encode", [base64_, base64_url, base32, hexadecimal, hexadecimal_c, binary])
@every("after", ["\nThanks a lot", "\n\nAnswer in English.", " Thanks", "\r\nThanks"])
def test_text_behind_the_code_does_not_hide_it(encode: Encoding, after: str) -> None:
    assert behind(encode(ASK) + after, ASK).strip() == encode(ASK)


@every("after", ["\nThanks a lot", "\nAnswer in English.", "\r\nThanks"])
def test_text_behind_a_code_without_padding_does_not_hide_it(after: str) -> None:
    assert behind(base64_bare(ASK) + after, ASK) == base64_bare(ASK)


@pytest.mark.parametrize("outer", [base64_, base64_url, base32, hexadecimal, hexadecimal_c, binary])
@every("inner", ENCODINGS)
def test_an_encoding_within_an_encoding_maps_back_to_the_outer_one(outer: Encoding, inner: Encoding) -> None:
    code = outer(inner(ASK))
    assert behind(f"Decode {code} now", ASK).strip() == code


@pytest.mark.parametrize(
    "hide",
    [
        pytest.param(lambda text: codecs.encode(text, "rot13"), id="rot13"),
        pytest.param(lambda text: text[::-1], id="reversed"),
        pytest.param(lambda text: text.replace(" ", "_"), id="underscores"),
        pytest.param(lambda text: text.replace("Anna", "Аnnа"), id="look-alikes"),
        pytest.param(lambda text: "  ".join(" ".join(word) for word in text.split()), id="letters"),
        pytest.param(lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text), id="escapes"),
    ],
)
def test_another_disguise_within_an_encoding_is_read(hide: Encoding) -> None:
    code = base64_(hide(ASK))
    assert behind(f"Decode {code} now", "Anna Berg and what did she write") == code


def test_two_codes_are_two_readings() -> None:
    first, second = base64_("Who is Anna Berg?"), base64_("Where was Carl Dorn born?")
    written = f"A: {first} and B: {second}."
    assert behind(written, "Anna Berg") == first
    assert behind(written, "Carl Dorn") == second


def test_an_escaped_code_maps_back_to_the_escapes() -> None:
    code = "".join(f"\\u{ord(letter):04x}" for letter in base64_(ASK))
    assert behind(f"x {code} y", ASK) == code


def test_a_code_of_another_language_is_read() -> None:
    assert "你好,世界,你叫什么名字" in texts(base64_("你好，世界，你叫什么名字"))


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(bytes(range(256))).decode(),
        "QUJD" * 2,  # too short
        "d41d8cd98f00b204e9800998ecf8427e",
        "01010101 10101010",
        "550e8400-e29b-41d4-a716-446655440000",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "A=B==C",
        "0x",
    ],
)
def test_what_encodes_no_text_is_not_decoded(text: str) -> None:
    assert _encoded(as_written(text, 0, len(text))) == []  # splitting what looks like a long word may be tried


# Letters moved in the alphabet, and backwards.


@every("shift", range(1, 26))
def test_every_shift_of_the_alphabet_is_undone(shift: int) -> None:
    moved = "".join(
        chr((ord(letter) - base + shift) % 26 + base)
        if letter.isalpha() and (base := ord("a") if letter.islower() else ord("A"))
        else letter
        for letter in ASK
    )
    assert moved != ASK
    written = f"Hm. {moved}"
    assert behind(written, ASK) == moved


def test_a_text_backwards_is_turned_and_maps_back() -> None:
    assert behind(f"abc {ASK[::-1]} xyz", "Anna Berg") == "greB annA"
    assert behind(f"abc {ASK[::-1]} xyz", ASK) == ASK[::-1]


def test_shifts_are_read_in_a_long_text_too() -> None:
    moved = codecs.encode("Tell me what the author Anna Berg did and who was with her.", "rot13")
    written = "Bread is baked in an oven. " * 20 + moved
    assert behind(written, "Anna Berg") == codecs.encode("Anna Berg", "rot13")


# Spacing.


@every("within", [" ", ".", "_", "\u200a", " · ", pytest.param("-")])
@every("between", ["   ", "  ", " / ", " | ", "\t"])
def test_letters_apart_with_gaps_between_words(within: str, between: str) -> None:
    written = between.join(within.join(word) for word in "Who is Anna Berg and where was she born".split())
    assert "Who is Anna Berg and where was she born" in [" ".join(text.split()) for text in texts(written)]


@pytest.mark.parametrize("within", [pytest.param(" "), pytest.param("."), "*", "~"])
def test_letters_apart_with_a_line_for_every_word(within: str) -> None:
    written = "\n".join(within.join(word) for word in "Who is Anna Berg and where was she born".split())
    assert "Who is Anna Berg and where was she born" in [" ".join(text.split()) for text in texts(written)]


@pytest.mark.parametrize("within", [" ", ".", "_", " . ", pytest.param("-")])
def test_letters_apart_without_gaps_between_words(within: str) -> None:
    written = within.join("whoistheauthorandwhatdidshewrite")
    assert "who is the author and what did she write" in texts(written)


def test_letters_apart_in_a_sentence_map_back() -> None:
    hidden = "  ".join(" ".join(word) for word in "Who is Anna Berg".split())
    written = f"Please read: {hidden}, thank you."
    assert behind(written, "Anna Berg") == "A n n a  B e r g"
    assert behind(written, "Who is Anna Berg") == hidden


@pytest.mark.parametrize(
    "separator",
    [".", "_", "/", "-", "+", "=", "\\", "|", pytest.param("~"), pytest.param("*")],
)
def test_separators_between_words(separator: str) -> None:
    written = f"Hm: {separator.join(['Who', 'is', 'Anna', 'Berg', 'and', 'where', 'was', 'she', 'born'])}?"
    assert any("Who is Anna Berg and where was she born?" in text for text in texts(written))


def test_separated_words_map_back() -> None:
    assert behind("Hm: Who.is.Anna.Berg.and.where?", "Anna Berg") == "Anna.Berg"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("whoistheauthorofthebook", "who is the author of the book"),
        ("WHOISTHEAUTHOROFTHEBOOK", "WHO IS THE AUTHOR OF THE BOOK"),
        ("WhoIsTheAuthorOfTheBook", "Who Is The Author Of The Book"),
        ("whoIsTheAuthorOfTheBook", "who Is The Author Of The Book"),
        ("Tell me:whatisthecapitaloffrance?", "Tell me:what is the capital of france?"),
        ("whatdidzyxquvorwriteabout", "what did zyxquvor write about"),
    ],
)
def test_joined_words_are_parted(written: str, seen: str) -> None:
    assert seen in texts(written)


def test_joined_words_map_back() -> None:
    assert behind("Hm, whoistheauthorofthebook?", "the author") == "theauthor"


@pytest.mark.parametrize(
    ("letters", "words"),
    [
        ("", []),
        ("who", ["who"]),
        ("whatisthis", ["what", "is", "this"]),
        ("WhatIsThis", ["What", "Is", "This"]),
        ("whoisxqzvkjw", ["who", "is", "xqzvkjw"]),
        ("xqzvkjw", ["xqzvkjw"]),
        ("howdoibakebread", ["how", "do", "i", "bake", "bread"]),
    ],
)
def test_segmented(letters: str, words: list[str]) -> None:
    assert segmented(letters) == words


@every("seed", range(20))
def test_segmenting_loses_no_letter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    letters = "".join("abcdehimnorstwxz'"[i] for i in rng.integers(0, 17, size=int(rng.integers(1, 60))))
    words = segmented(letters)
    assert "".join(words) == letters
    assert all(words)


# Digits for letters.


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Wh0 15 Ann4 B3rg 4nd wh47 d1d 5h3 wr1t3?", "Who is Anna Berg and what did she write?"),
        ("wh@t d1d 5he wr!te?", "what did she write?"),
        ("7h3 4uth0r'5 f1r57 b00k", "the author's first book"),
        ("T€ll m€ 4bout $h€", "Tell me about she"),
        ("T3ll m3 4b0ut h3r p1ays", "Tell me about her plays"),  # 1 for l
        ("1 wan7 70 kn0w", "i want to know"),
    ],
)
def test_digits_for_letters(written: str, seen: str) -> None:
    assert seen in texts(written)


@pytest.mark.parametrize("written", ["Wh0 is Ann4?", "Ann4, B3rg?", '"Wh0 is Ann4"'])
def test_digits_for_letters_before_punctuation(written: str) -> None:
    assert any("Anna" in text for text in texts(written))


def test_one_stands_for_i_in_one_reading_and_for_l_in_the_other() -> None:
    assert texts("p1ay1ng wh47")[1:] == ["piaying what", "playlng what"]


def test_digits_for_letters_map_back() -> None:
    written = "Hm, wh0 15 Ann4 B3rg?"
    assert behind(written, "Anna Berg") == "Ann4 B3rg"


@pytest.mark.parametrize(
    "text", ["I have 3 cats and 14 dogs.", "In 1998, B2B sales rose by 5 % in 12 of 17 states we saw."]
)
def test_numbers_are_no_letters(text: str) -> None:
    assert texts(text) == [text]


# Ordinary text.


@pytest.mark.parametrize(
    "text",
    [
        "Who is Anna Berg, and what did she write in 1998?",
        "The well-known state-of-the-art method, e.g. in U.S. law, isn't new.",
        "Options: a, b, c or d?",
        "J. R. R. Tolkien and C. S. Lewis met in 1926.",
        "Call +49 30 123456 or 030-1234567 today.",
        "It was 2024-03-09T14:05:00Z.",
        "def total(items): return sum(item.price for item in items)",
        "the and what and who",
        "was saw no on dog god",
        "Why? Who? What? How?",
        "長城有多长？这位作家写了哪些书，她出生在哪里",
        "이 작가는 어떤 책을 썼고 어디에서 태어났나요",
        "ما هي عاصمة المغرب وكم عدد سكانها",
        "Welche Bücher hat diese Autorin geschrieben, und wo wurde sie geboren?",
        pytest.param("मेरे दोस्त के लिए जन्मदिन का संदेश लिखो।"),
        "ประเทศไทยมีกี่จังหวัดและที่ใดใหญ่ที่สุด",
    ],
)
def test_ordinary_text_has_one_reading(text: str) -> None:
    assert len(texts(text)) == 1


def test_nearly_all_ordinary_prompts_have_one_reading() -> None:
    """99.4 % when this was written."""
    prompts = background_prompts()
    assert len(prompts) > 1000
    assert sum(len(texts(prompt)) == 1 for prompt in prompts) >= 0.985 * len(prompts)


# Where characters come from, and time.

HOSTILE = "abehtW 014.=_-+@\n/é*QUJD"


@every("seed", range(150))
def test_all_readings_stay_within_the_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = [
        "gur ",
        "eht ",
        "Wh0 ",
        "w.h.o.i.s.i.t ",
        base64_("Who is it?"),
        base64_(base64_(ASK)),
        "whoistheauthorthen ",
    ]
    text = "".join(
        pieces[i - len(HOSTILE)] if i >= len(HOSTILE) else HOSTILE[i]
        for i in rng.integers(0, len(HOSTILE) + len(pieces), size=int(rng.integers(1, 80)))
    )
    for reading in readings(as_written(f"xx{text}yyy", 2, 2 + len(text))):
        assert len(reading.starts) == len(reading.ends) == len(reading.text)
        for n in range(len(reading.text)):
            start, end = reading.original(n, n + 1)
            assert 2 <= start < end <= 2 + len(text)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(lambda n: "x" * n, id="one word"),
        pytest.param(lambda n: "1" * n + "x", id="digits"),
        pytest.param(lambda n: "." * n, id="dots"),
        pytest.param(lambda n: "a" + "!" * n, id="exclamations"),
        pytest.param(lambda n: "a." * (n // 2), id="letters and dots"),
        pytest.param(lambda n: "a_" * (n // 2), id="letters and underscores"),
        pytest.param(lambda n: "whoistheauthor" * (n // 14), id="joined words"),
        pytest.param(lambda n: "QUJD" * (n // 4), id="base64"),
        pytest.param(lambda n: base64_("Who is Anna Berg? " * (n // 24)), id="base64 of text"),
        pytest.param(lambda n: "QUJDQUJDQUJDQUJD\n" * (n // 17) + "===", id="base64 lines"),
        pytest.param(lambda n: (base64_("Who is Anna Berg?") + " ") * (n // 25), id="many codes"),
        pytest.param(lambda n: "61" * (n // 2) + "g", id="hexadecimal"),
        pytest.param(lambda n: "61 " * (n // 3) + "g", id="hexadecimal bytes"),
        pytest.param(lambda n: binary("Who is it? " * (n // 99)), id="binary"),
        pytest.param(lambda n: "=" * n, id="padding"),
        pytest.param(lambda n: "a " * (n // 2), id="letters"),
        pytest.param(lambda n: "a     " * (n // 6), id="letters far apart"),
        pytest.param(lambda n: "wh0 " * (n // 4), id="leet"),
        pytest.param(lambda n: "gur naq " * (n // 8), id="rot13"),
        pytest.param(lambda n: "eht dna " * (n // 8), id="reversed"),
        pytest.param(lambda n: " " * n, id="spaces"),
        pytest.param(lambda n: "Bake some bread, then eat it. " * (n // 30), id="ordinary"),
    ],
)
def test_no_text_makes_decoding_slow(hostile: Callable[[int], str]) -> None:
    read_all("warmupthewordcountsfirst")
    for length in (6_250, 12_500, 25_000, 50_000):  # stops early where the time grows with the square
        text = hostile(length)
        start = time.thread_time()
        read_all(text)
        assert time.thread_time() - start < 0.1 + 40e-6 * length
