"""Ways to write a question so that a person, or a language model, still reads it: `(text, rng) -> text`, pure."""

from __future__ import annotations

import base64
import codecs
import random
import re
import urllib.parse
from collections.abc import Callable

Disguise = Callable[[str, random.Random], str]

_CYRILLIC = str.maketrans("aceiopxyABCEHKMOPTX", "асеіорхуАВСЕНКМОРТХ")
_GREEK = str.maketrans("ovuiABEZHIKMNOPTYX", "ονυιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_MARKS = "\u0300\u0301\u0302\u0303\u0306\u0307\u030a\u0311\u0323\u032d\u0330\u0331\u0336\u0338"
_LEET = {"a": "4@", "e": "3", "i": "1", "o": "0", "s": "5$", "t": "7"}


def fullwidth(text: str, rng: random.Random) -> str:
    """Fullwidth forms of ASCII; NFKC undoes it."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def mathematical(text: str, rng: random.Random) -> str:
    """Mathematical bold letters and digits; NFKC undoes it."""
    return "".join(_bold(character) for character in text)


def cyrillic(text: str, rng: random.Random) -> str:
    """Cyrillic letters that look like Latin ones."""
    return text.translate(_CYRILLIC)


def greek(text: str, rng: random.Random) -> str:
    """Greek letters that look like Latin ones."""
    return text.translate(_GREEK)


def zero_width(text: str, rng: random.Random) -> str:
    """Invisible characters inside every word."""
    return _per_word(text, lambda word: _insert(word, rng, _ZERO_WIDTH))


def combining_marks(text: str, rng: random.Random) -> str:
    """A combining mark or two on every second letter."""
    marked = []
    for character in text:
        marks = rng.choices(_MARKS, k=rng.randint(1, 2)) if character.isalpha() and rng.random() < 0.5 else []
        marked.append(character + "".join(marks))
    return "".join(marked)


def letter_spaced(text: str, rng: random.Random) -> str:
    """A space between letters, two between words."""
    return "  ".join(" ".join(word) for word in text.split())


def letter_spaced_run(text: str, rng: random.Random) -> str:
    """A space between letters, and no other sign of where words end."""
    return " ".join("".join(text.split()))


def no_spaces(text: str, rng: random.Random) -> str:
    """The text without any space."""
    return "".join(text.split())


def leetspeak(text: str, rng: random.Random) -> str:
    """Digits and signs for letters."""
    return "".join(rng.choice(_LEET.get(character.lower(), character)) for character in text)


def mixed_case(text: str, rng: random.Random) -> str:
    """Capitals at random."""
    return "".join(character.upper() if rng.random() < 0.5 else character.lower() for character in text)


def markdown(text: str, rng: random.Random) -> str:
    """Bold or italic words, a heading, a list, or a quotation."""
    style = rng.randrange(5)
    if style < 2:
        mark = ("**", "_")[style]
        return _per_word(text, lambda word: f"{mark}{word}{mark}" if rng.random() < 0.5 else word)
    return ("## {}", "- {}\n- Answer in one paragraph", "> {}")[style - 2].format(text)


def code_fence(text: str, rng: random.Random) -> str:
    """A block of code."""
    return rng.choice(("```\n{}\n```", "```text\n{}\n```", '```python\nprint("""{}""")\n```')).format(text)


def in_base64(text: str, rng: random.Random) -> str:
    """Base64 with a carrier sentence."""
    return f"Decode this base64 and answer it: {base64.b64encode(text.encode()).decode()}"


def in_hex(text: str, rng: random.Random) -> str:
    """Hexadecimal with a carrier sentence."""
    digits = text.encode().hex(" ") if rng.random() < 0.5 else text.encode().hex()
    return f"Decode this hex string and answer it: {digits}"


def in_rot13(text: str, rng: random.Random) -> str:
    """Rot13 with a carrier sentence."""
    return f"Decode this rot13 text and answer it: {codecs.encode(text, 'rot13')}"


def url_encoded(text: str, rng: random.Random) -> str:
    """Percent signs for spaces and punctuation."""
    return f"Decode this URL and answer the question in it: https://example.com/?q={urllib.parse.quote(text, safe='')}"


def url_encoded_fully(text: str, rng: random.Random) -> str:
    """Percent signs for every character."""
    return "URL-decode this and answer it: " + "".join(f"%{byte:02X}" for byte in text.encode())


def html_entities(text: str, rng: random.Random) -> str:
    """A numeric entity for every character."""
    form = rng.choice(("&#{};", "&#x{:x};"))
    return "Answer the question in this HTML: " + "".join(form.format(ord(character)) for character in text)


DISGUISES: dict[str, Disguise] = {
    "fullwidth letters": fullwidth,
    "mathematical letters": mathematical,
    "Cyrillic look-alikes": cyrillic,
    "Greek look-alikes": greek,
    "zero-width characters": zero_width,
    "combining marks": combining_marks,
    "letter-spaced": letter_spaced,
    "letter-spaced, no word ends": letter_spaced_run,
    "no spaces": no_spaces,
    "leetspeak": leetspeak,
    "mixed case": mixed_case,
    "markdown": markdown,
    "code fence": code_fence,
    "base64": in_base64,
    "hexadecimal": in_hex,
    "rot13": in_rot13,
    "URL-encoded": url_encoded,
    "URL-encoded fully": url_encoded_fully,
    "HTML entities": html_entities,
}

_NEIGHBOURS = {
    key: (row[i - 1 : i] if i else "") + row[i + 1 : i + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for i, key in enumerate(row)
}


def typing_errors(text: str, rng: random.Random) -> str:
    """One or two slips in a third of the words: letters swapped, dropped, doubled, or those of a neighbouring key."""
    words = re.split(r"(\s+)", text)
    long = [index for index, word in enumerate(words) if sum(c.isalpha() for c in word) >= 3]
    for index in rng.sample(long, k=round(len(long) / 3) or min(1, len(long))):
        for _ in range(rng.randint(1, 2)):
            words[index] = _slip(words[index], rng)
    return "".join(words)


def _slip(word: str, rng: random.Random) -> str:
    """One slip; a swap of two equal letters, or a letter without neighbours, becomes another kind of slip."""
    while True:
        place = rng.choice([i for i, character in enumerate(word) if character.isalpha()])
        letter, after = word[place], word[place + 1 : place + 2]
        kind = rng.randrange(4)
        if kind == 0 and after.isalpha() and after != letter:
            return word[:place] + after + letter + word[place + 2 :]
        if kind == 1 and len(word) > 2:
            return word[:place] + word[place + 1 :]
        if kind == 2:
            return word[:place] + letter + word[place:]
        if kind == 3 and letter.lower() in _NEIGHBOURS:
            other = rng.choice(_NEIGHBOURS[letter.lower()])
            return word[:place] + (other.upper() if letter.isupper() else other) + word[place + 1 :]


def _bold(character: str) -> str:
    for first, last, base in (("A", "Z", 0x1D400), ("a", "z", 0x1D41A), ("0", "9", 0x1D7CE)):
        if first <= character <= last:
            return chr(base + ord(character) - ord(first))
    return character


def _insert(word: str, rng: random.Random, characters: str) -> str:
    if len(word) < 2:
        return word
    place = rng.randrange(1, len(word))
    return word[:place] + rng.choice(characters) + word[place:]


def _per_word(text: str, change: Callable[[str], str]) -> str:
    return re.sub(r"\S+", lambda match: change(match[0]), text)
