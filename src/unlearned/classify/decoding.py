"""Further readings of a text: passages hidden by an encoding, by spacing or by digits for letters.

Each reading is classified beside the plain one; a false guess costs time, not a false alarm, because gibberish
resembles no scope. Every encoded passage maps back to the characters that encode it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from unlearned.classify.normalize import AlignedText, normalized

DEPTH = 2
"""Encodings within encodings that are followed."""


def readings(reading: AlignedText, depth: int = DEPTH) -> list[AlignedText]:
    """The plain reading, then what it may hide; just the plain one for ordinary text."""
    plain = normalized(reading)
    found = [plain]
    for uncover in (_encoded, _shifted, _backwards, _spaced, _joined, _digits_for_letters):
        for hidden in uncover(plain):
            found += readings(hidden, depth - 1) if depth > 1 and uncover is _encoded else [normalized(hidden)]
    return found


# Base64, base32, hexadecimal and binary: one reading per passage.


def _encoded(plain: AlignedText) -> list[AlignedText]:
    found = []
    for pattern, decode in _ENCODINGS:
        for match in pattern.finditer(plain.text):
            passage = match[0]
            text = _text_of(decode, passage)
            if text is None and "\n" in passage:  # the last line may be the first word after it
                passage = passage.rpartition("\n")[0].rstrip("\r")
                text = _text_of(decode, passage)
            if text is not None:
                start, end = plain.original(match.start(), match.start() + len(passage))
                found.append(AlignedText(text, [start] * len(text), [end] * len(text)))
    return found


def _text_of(decode: Callable[[str], bytes], passage: str) -> str | None:
    try:
        text = decode("".join(passage.split())).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    printable = sum(character.isprintable() or character in "\n\t\r" for character in text)
    readable = sum(character.isalnum() or character.isspace() for character in text)
    return text if text and printable == len(text) and readable >= 0.5 * len(text) else None


def _base64(passage: str) -> bytes:
    passage = passage.rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(passage[: len(passage) - (len(passage) % 4 == 1)] + "=" * (-len(passage) % 4 % 3))


def _base32(passage: str) -> bytes:
    passage = passage.rstrip("=")
    return base64.b32decode(passage + "=" * (-len(passage) % 8))


def _hex(passage: str) -> bytes:
    return bytes.fromhex(re.sub(r"0[xX]|\\x|[:,]", "", passage))


def _binary(passage: str) -> bytes:
    return bytes(int(passage[i : i + 8], 2) for i in range(0, len(passage), 8))


_ENCODINGS: list[tuple[re.Pattern[str], Callable[[str], bytes]]] = [
    # One line, or a block of lines of which only the last one is short.
    (
        re.compile(
            r"(?<![\w+/=-])(?:(?:[A-Za-z0-9+/_-]{40,}\r?\n)+[A-Za-z0-9+/_-]{2,}|[A-Za-z0-9+/_-]{12,})={0,2}(?![\w+/=])"
        ),
        _base64,
    ),
    (re.compile(r"(?<!\w)[A-Z2-7]{16,}={0,6}(?![\w=])"), _base32),
    (re.compile(r"(?<!\w)(?:(?:0[xX]|\\x)?[0-9A-Fa-f]{2}[\s:,]{0,2}){8,}(?!\w)"), _hex),
    (re.compile(r"(?<!\w)(?:[01]{8}\s?){6,}(?!\w)"), _binary),
]


# Every letter moved through the alphabet (rot13 and its kind), or the whole text backwards.

_COMMON = (
    "the and what who whom whose how which where when why was were did does are has have had been with for from "
    "that this about you your can could would tell his her their name book books author full please write "
    "describe explain into some any most not but"
).split()


NEARBY = 12
"""Words within which a second common word has to appear for a passage to count as shifted or reversed."""


def _shifted(plain: AlignedText) -> list[AlignedText]:
    """The lines that look shifted, moved back; of several shifts the most frequent one."""
    last: dict[int, tuple[int, int]] = {}  # by shift: number and place of the last word
    seen: dict[int, list[tuple[int, int]]] = {}  # by shift: places of two words that are near each other
    for number, match in enumerate(_LATIN_WORD.finditer(plain.text)):
        shift = _shifts().get(match[0].lower())
        if shift is None:
            continue
        if shift in last and number - last[shift][0] <= NEARBY:  # in a long text, single words look shifted by chance
            seen.setdefault(shift, []).append((last[shift][1], match.start()))
        last[shift] = number, match.start()
    if not seen:
        return []
    shift, found = max(seen.items(), key=lambda item: len(item[1]))
    back = {c + i: c + (i - shift) % 26 for c in (ord("a"), ord("A")) for i in range(26)}
    pieces, done = [], 0
    for first, second in found:
        start = max(done, plain.text.rfind("\n", 0, first) + 1)
        line_end = plain.text.find("\n", second)
        end = len(plain.text) if line_end < 0 else line_end
        if end > start:
            pieces += [plain.text[done:start], plain.text[start:end].translate(back)]
            done = end
    return [AlignedText("".join([*pieces, plain.text[done:]]), plain.starts, plain.ends)]


def _backwards(plain: AlignedText) -> list[AlignedText]:
    places = [n for n, word in enumerate(_LATIN_WORD.findall(plain.text)) if word.lower() in _REVERSED]
    if not any(after - before <= NEARBY for before, after in zip(places, places[1:], strict=False)):
        return []
    return [AlignedText(plain.text[::-1], plain.starts[::-1], plain.ends[::-1])]


@lru_cache(maxsize=1)
def _shifts() -> dict[str, int]:
    table: dict[str, int] = {}
    for shift in range(1, 26):
        for word in _COMMON:
            moved = "".join(chr(ord("a") + (ord(letter) - ord("a") + shift) % 26) for letter in word)
            if moved not in _COMMON:
                table[moved] = shift
    return table


_LATIN_WORD = re.compile(r"[A-Za-z]{3,}")
_REVERSED = {word[::-1] for word in _COMMON} - set(_COMMON)


# W o r d s  spelt with spaces, words.with.dots, andwordswithoutany.


def _spaced(plain: AlignedText) -> list[AlignedText]:
    return [plain.sub(LETTERS_APART, _together)] if LETTERS_APART.search(plain.text) else []


def _together(match: re.Match[str]) -> list[str]:
    """Drop the separators between letters; a wider or another one than usual stands between words."""
    letters_and_gaps = re.findall(r"[^\W_]|[\W_]+", match[0])
    gaps = [_gap(piece) for piece in letters_and_gaps[1::2]]
    usual = Counter(gaps).most_common(1)[0][0]
    kept = []
    for index, piece in enumerate(letters_and_gaps):
        gap = _gap(piece)
        if index % 2 == 0:
            kept.append(piece)
        elif gap != usual:
            kept.append(gap if gap in _WITHIN_WORDS else " ")
    text = "".join(kept)
    if " " not in text:
        text = _LONG_WORD.sub(lambda word: " ".join(segmented(word[0])), text)
    return _spread(text, match[0])


_WITHIN_WORDS = ("-", "'")


def _gap(piece: str) -> str:
    return piece.strip().replace("\u2019", "'") or piece


def _joined(plain: AlignedText) -> list[AlignedText]:
    reading = plain
    if _CHAINED.search(reading.text):
        reading = reading.sub(_CHAINED, lambda match: [" " if not c.isalnum() and c != "'" else c for c in match[0]])
    if _LONG_WORD.search(reading.text):
        reading = reading.sub(_LONG_WORD, lambda match: _spread(" ".join(_split_word(match[0])), match[0]))
    return [] if reading is plain else [reading]


def _split_word(word: str) -> list[str]:
    humps = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z']*|[a-z']+", word)
    if len(humps) >= 4:
        return humps
    return segmented(word)


def _spread(text: str, written: str) -> list[str]:
    """`text` with spaces put in, as one string for each character of `written`."""
    pieces, cursor = [], 0
    for character in written:
        piece = ""
        while cursor < len(text) and text[cursor] == " " and character != " ":
            piece, cursor = piece + " ", cursor + 1
        if cursor < len(text) and text[cursor] == character:
            piece, cursor = piece + character, cursor + 1
        pieces.append(piece)
    return pieces


LETTERS_APART = re.compile(r"(?<![^\W_])(?:[^\W_][\s.,;:/|_*~+='’\"·•-]{1,4}){5,}[^\W_](?![^\W_])")
_CHAINED = re.compile(r"(?<![^\W_])[^\W_]+(?:[._/\\|~*=+-][^\W_]+(?:'[a-z]+)?){4,}")
_LONG_WORD = re.compile(r"[A-Za-z']{18,}")


def segmented(letters: str) -> list[str]:
    """Words of a text written without spaces: the most probable split under the frequencies of everyday words.

    Letters that make no known word, such as a rare name, stay together.
    """
    costs, longest = word_costs()
    lower = letters.lower()
    best: list[tuple[float, int, bool]] = [(0.0, 0, False)]  # cost, start of the last word, whether it is known
    for end in range(1, len(lower) + 1):
        options = []
        for start in range(max(0, end - longest), end):
            cost = costs.get(lower[start:end])
            if cost is not None:
                options.append((best[start][0] + cost, start, True))
        cost, start, known = best[end - 1]
        opening = 0.0 if end > 1 and not known else _UNKNOWN_WORD
        options.append((cost + opening + _UNKNOWN_LETTER, end - 1 if opening else start, False))
        best.append(min(options))
    words, end = [], len(lower)
    while end > 0:
        start = best[end][1]
        words.append(letters[start:end])
        end = start
    return words[::-1]


_UNKNOWN_WORD, _UNKNOWN_LETTER = 6.0, 2.2


@lru_cache(maxsize=1)
def everyday_words() -> frozenset[str]:
    """Words of the packaged prompts, in lower case."""
    return frozenset(word_costs()[0])


@lru_cache(maxsize=1)
def word_costs() -> tuple[dict[str, float], int]:
    """Words of the packaged prompts and how rare each is, and the length of the longest one."""
    from unlearned.examples import background_prompts

    counts = Counter(re.findall(r"[a-z]+", " ".join(background_prompts()).lower()))
    for word in [word for word in counts if len(word) == 1 and word not in ("a", "i", "s")]:
        del counts[word]
    total = sum(counts.values())
    return {word: -math.log(count / total) for word, count in counts.items()}, max(map(len, counts))


# D1g1t5 f0r l3tt3r5: two readings, because 1 stands for i and for l.


def _digits_for_letters(plain: AlignedText) -> list[AlignedText]:
    """Words are only read so near one that then is an everyday word: numbers and hashes of machines never are."""
    words = list(LEET_WORD.finditer(plain.text))
    if len(words) < 2 or len(words) < 0.1 * len(plain.text.split()):
        return []
    places = [word.start() for word in words if _is_meant(word[0])]
    return [plain.sub(_TOKEN, partial(_letters, table, places)) for table in LETTERS] if places else []


def _is_meant(written: str) -> bool:
    return any((word := written.translate(table).lower()) in everyday_words() and len(word) > 2 for table in LETTERS)


def _letters(table: dict[int, int], places: Sequence[int], match: re.Match[str]) -> str | list[str]:
    token, nearest = match[0], bisect_left(places, match.start())
    if not any(abs(place - match.start()) <= AROUND for place in places[max(0, nearest - 1) : nearest + 1]):
        return list(token)
    if LEET_WORD.fullmatch(token) or (token.isdigit() and len(token) <= 3):
        return list(token.translate(table))
    return list(token)


AROUND = 80
"""Characters from an everyday word that is written with digits to another word that is read so, too."""

_LEET = r"[A-Za-z0-9@$!|+€£'-]"
LEET_WORD = re.compile(
    rf"(?<!{_LEET})(?={_LEET}{{0,19}}[A-Za-z])(?={_LEET}{{0,19}}[0-9@$|€£]|{_LEET}{{0,18}}[A-Za-z]!+[A-Za-z])"
    rf"{_LEET}{{2,20}}(?=[?.,;:!)\"'’”]*(?:\s|$))"
)
_TOKEN = re.compile(rf"{_LEET}+")
LETTERS = [str.maketrans("034567893@$!|+€£12"[:16] + "12", "oeasgtbgeasiltel"[:16] + one + "z") for one in ("i", "l")]
