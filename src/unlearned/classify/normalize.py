"""What a reader sees in a text: disguises of its letters undone, and every character traced back to where it stands.

Only detection reads this; the model gets the prompt as it came. A disguise that changes single characters (look-alikes,
invisible characters, markup, escapes) is undone here for all classification; disguises that hide whole passages
(base64, letter spacing, ...) are further readings beside this one: `decoding`.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import unquote

Replacement = Callable[[re.Match[str]], "str | list[str]"]
"""A match -> its replacement: one string for all of it, or one string for each of its characters."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedText:
    """A text to classify, made from a part of the prompt."""

    text: str
    starts: Sequence[int]
    """(len(text),) where in the prompt each character comes from: first character ..."""

    ends: Sequence[int]
    """... and behind the last one."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The prompt's characters behind `text[start:end]`, start < end."""
        return min(self.starts[start:end]), max(self.ends[start:end])

    def sub(self, pattern: re.Pattern[str], replacement: Replacement) -> AlignedText:
        """`pattern.sub` that keeps track of where characters come from."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        cursor = 0
        for match in pattern.finditer(self.text):
            first, last = match.span()
            new = replacement(match)
            pieces.append(self.text[cursor:first])
            starts += self.starts[cursor:first]
            ends += self.ends[cursor:first]
            if isinstance(new, str):
                pieces.append(new)
                starts += [self.starts[first]] * len(new)
                ends += [self.ends[last - 1]] * len(new)
            else:
                for offset, piece in enumerate(new, start=first):
                    pieces.append(piece)
                    starts += [self.starts[offset]] * len(piece)
                    ends += [self.ends[offset]] * len(piece)
            cursor = last
        if not pieces:
            return self
        pieces.append(self.text[cursor:])
        return AlignedText("".join(pieces), starts + list(self.starts[cursor:]), ends + list(self.ends[cursor:]))


def as_written(text: str, start: int, end: int) -> AlignedText:
    """`text[start:end]`, character by character."""
    return AlignedText(text[start:end], range(start, end), range(start + 1, end + 1))


def unquoted(reading: AlignedText) -> AlignedText:
    """A text that is written as JSON, with its white space as it is meant."""
    return reading.sub(_JSON_ESCAPES, lambda match: _JSON_SPACES.get(match[0], match[0]))


def normalized(reading: AlignedText) -> AlignedText:
    """Undo what changes single characters: escapes, markup, look-alikes, accents, invisible characters."""
    if _ESCAPED.search(reading.text):
        reading = reading.sub(_UNICODE_ESCAPES, _unicode_escapes).sub(_OTHER_ESCAPES, _other_escapes)
        reading = reading.sub(_ENTITY, lambda match: html.unescape(match[0]))
    if len(_URL_ENCODED.findall(reading.text)) >= 3:
        reading = reading.sub(_PLUS, lambda match: " ")
        reading = reading.sub(_PERCENT_RUN, lambda match: unquote(match[0], errors="ignore"))
    if not reading.text.isascii():
        reading = reading.sub(_NON_ASCII, partial(_plain_letters, _is_written_in_look_alikes(reading.text)))
    if _CONTROL.search(reading.text):
        reading = reading.sub(_CONTROL, _without)
    if _MARKED.search(reading.text):
        for pattern in _MARKUP:
            reading = reading.sub(pattern, _without)
        reading = reading.sub(_COLUMN, lambda match: " ")
    return reading


def normalize(text: str) -> str:
    """A text as detection reads it; examples are enrolled in this form."""
    return normalized(as_written(text, 0, len(text))).text


_ESCAPED = re.compile(r"\\[ux\"nrt/]|%[0-9A-Fa-f]{2}|&[#A-Za-z]")
_UNICODE_ESCAPES = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+")
_OTHER_ESCAPES = re.compile(r"\\(x[0-9A-Fa-f]{2}|[\"/]|n(?![a-z]))")  # not the \n of C:\new or \nabla
_JSON_ESCAPES = re.compile(r"\\.", re.DOTALL)
_JSON_SPACES = {r"\n": "\n", r"\r": "\n", r"\t": " ", r"\f": " ", r"\b": " "}
_URL_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|(?<=\w)\+(?=\w)")
_PERCENT_RUN = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_PLUS = re.compile(r"(?<=\w)\+(?=\w)")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NON_ASCII = re.compile(r"(?<!\S)[\x00-\x08\x0e-\x1b\x21-\x7f]*[^\x00-\x7f\s]\S*|[^\S\x00-\x7f]")
_MARKED = re.compile(r"[*_`~#<>|]|^[ \t]*(?:[-+]|\d+[.)])\s", re.MULTILINE)
_MARKUP = [
    re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE),
    # Tags that say nothing themselves; what is written in an attribute, or in a tag of one's own, is read.
    re.compile(
        r"</?(?:a|b|i|u|s|p|br|hr|em|h[1-6]|li|ul|ol|td|th|tr|div|pre|sub|sup|code|mark|span|body|html|head|small|table|wbr|"
        r"strong|blockquote)\s*/?>",
        re.IGNORECASE,
    ),
    re.compile(r"^[ \t]*(?:#{1,6}|>+|[-*+]|\d+[.)])[ \t]+", re.MULTILINE),
    re.compile(r"(?<![\w*`~])[*_`~]+(?=\S)|(?<=[^\s*_`~])[*_`~]+(?![\w*`~])|(?<=[^\W\d_])(?:\*\*|`+)(?=[^\W\d_])"),
]
_COLUMN = re.compile(r"\|")


def _without(match: re.Match[str]) -> str:
    return ""


def _unicode_escapes(match: re.Match[str]) -> str | list[str]:
    try:
        text = str(json.loads(f'"{match[0]}"'))
    except json.JSONDecodeError:  # cannot happen for this pattern; a disguise must never break detection
        return match[0]
    return "".join(character for character in text if not "\ud800" <= character <= "\udfff")


def _other_escapes(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "x":
        return chr(int(code[1:], 16))
    return "\n" if code == "n" else code


def _is_written_in_look_alikes(text: str) -> bool:
    """Whether letters of other scripts are chosen for their looks; in a Russian text, many have no Latin twin."""
    foreign = [piece for character in text if (piece := _fold(character)).isalpha() and not piece.isascii()]
    return sum(piece in _LOOK_ALIKES for piece in foreign) > 0.85 * len(foreign)


def _plain_letters(everywhere: bool, match: re.Match[str]) -> list[str]:
    """Per character: compatibility forms, accents and invisible characters undone; look-alikes of Latin letters too.

    Look-alikes are replaced in words that also have Latin letters, and `everywhere` in words of nothing else.
    """
    folded = [_fold(character) for character in match[0]]
    foreign = [piece for piece in folded if piece and not piece.isascii() and piece.isalpha()]
    mixed = any(piece.isascii() and piece.isalpha() for piece in folded)
    if mixed:
        return [_LOOK_ALIKES.get(piece) or _AMONG_LATIN.get(piece, piece) for piece in folded]
    if everywhere and len(foreign) > 1 and all(piece in _LOOK_ALIKES for piece in foreign):
        return [_LOOK_ALIKES.get(piece, piece) for piece in folded]
    return folded  # a word of another script that happens to share some letters


@lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    code = ord(character)
    if 0xE0020 <= code <= 0xE007E:  # invisible copies of ASCII, which some models read
        return chr(code - 0xE0000)
    for first, letters in ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26)):  # letters in dark circles, squares, and flags
        if first <= code < first + letters:
            return chr(ord("a") + code - first)
    if _is_invisible(character):
        return ""
    result = []
    for composed in unicodedata.normalize("NFKC", character):
        parts = unicodedata.normalize("NFKD", composed)
        base = parts[0]
        # Accents are dropped from alphabets that have them as decoration, not from scripts that write vowels with them.
        result.append(base if len(parts) > 1 and unicodedata.combining(parts[1]) and _is_alphabet(base) else composed)
    return "".join(result)


def _is_invisible(character: str) -> bool:
    code = ord(character)
    return (
        (unicodedata.category(character) in ("Cf", "Cc", "Co", "Cs") and character not in "\t\n\r")
        or code in (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFFA0)
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0000 <= code <= 0xE01EF
        or any(first <= code <= last for first, last in _DECORATIONS)
    )


def _is_alphabet(character: str) -> bool:
    return unicodedata.name(character, "").split(" ")[0] in ("LATIN", "GREEK", "CYRILLIC")


_DECORATIONS = ((0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))

# Letters of other scripts that are drawn like a Latin one. Source: Unicode Technical Standard 39, confusables (letters
# only, those in use).
_LOOK_ALIKES = {
    other: latin
    for latin, others in {
        "a": "аαɑᴀ", "b": "ьβʙƅ", "c": "сᴄⅽⲥ", "d": "ԁɗᴅđ", "e": "еεєҽᴇ", "f": "ꜰƒϝ", "g": "ɡցɢ", "h": "һհʜħн",
        "i": "іιıɩɪӏᎥⲓ", "j": "јϳᴊ", "k": "кκᴋ", "l": "ⅼłʟ", "m": "мᴍ", "n": "ոηɴпи", "o": "оοօσᴏøөⲟ", "p": "рρᴘⲣ",
        "q": "ԛզ", "r": "гʀᴦ", "s": "ѕꜱ", "t": "тτᴛ", "u": "υսᴜ", "v": "ѵνᴠ", "w": "ԝωѡᴡ", "x": "хχ", "y": "уγүʏ",
        "z": "ᴢʐ",
        "A": "АΑᎪꓮ", "B": "ВΒᏴꓐ", "C": "СᏟꓚⲤ", "D": "ᎠĐꓓ", "E": "ЕΕᎬꓰ", "F": "Ϝꓝ", "G": "ԌᏀꓖ", "H": "НΗᎻꓧⲎ",
        "I": "ІΙӀꓲⲒ", "J": "ЈᎫꓙ", "K": "КΚᏦꓗⲔ", "L": "ᏞŁꓡ", "M": "МΜᎷꓟⲘ", "N": "ΝꓠⲚ", "O": "ОΟՕØꓳⲞ", "P": "РΡᏢꓑⲢ",
        "R": "ᎡᏒꓣ", "S": "ЅᏚꓢ", "T": "ТΤᎢꓔⲦ", "U": "Սꓴ", "V": "ᏙѴꓦ", "W": "ᎳԜꓪ", "X": "ХΧꓫⲬ", "Y": "УΥҮᎩꓬⲨ",
        "Z": "ΖᏃꓜ",
    }.items()
    for other in others
}  # fmt: skip


def _of_latin() -> dict[str, str]:
    """Latin letters with a stroke, a hook or a tail, and turned ones: what is left of them without that."""
    blocks = ((0x100, 0x2B0), (0x1D00, 0x1DC0), (0x2C60, 0x2C80), (0xA720, 0xA800))
    pattern = re.compile(
        r"LATIN (SMALL|CAPITAL) LETTER (?:(?:TURNED|OPEN|REVERSED|SCRIPT) )?([A-Z])(?: BAR| WITH [A-Z -]+)?"
    )
    found = {}
    for character in (chr(code) for block in blocks for code in range(*block)):
        match = pattern.fullmatch(unicodedata.name(character, ""))
        if match is not None and not unicodedata.decomposition(character):
            found[character] = match[2] if match[1] == "CAPITAL" else match[2].lower()
    return found


_LOOK_ALIKES = _of_latin() | _LOOK_ALIKES

# Letters that many Greek words are made of: only where they stand among Latin ones.
_AMONG_LATIN = {"ω": "w", "ς": "s", "δ": "d", "μ": "u"}
