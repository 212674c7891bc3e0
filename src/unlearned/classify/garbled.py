"""Readings of short texts whose words are garbled so that a reader still knows them.

Letters shuffled inside words, vowels left out, words backwards, every letter shifted. What a word was is found by a key
that survives the change, among everyday words and the scopes' own; a text whose words are known as they are is not
looked at any further.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from unlearned.classify.decoding import LEET_WORD, LETTERS, everyday_words, word_costs
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.normalize import AlignedText
from unlearned.names.parts import bare

MOST_WORDS = 60
"""Most words of a line: longer texts have enough of what a classifier recognises."""

READABLE = 0.5
"""Share of known words from which a reading makes sense."""

LONGEST_ACRONYM = 5
"""Letters of a word in capitals, among others that are not, that means itself."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENDINGS = ("s", "es", "ed", "ing")
_LINE = re.compile(r"[^\n]+")
_VOWELS = re.compile("[aeiou]")

Key = Callable[[str], str]
Words = Mapping[str, str]
"""Key -> the word that is most probably meant."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of all scopes in force."""

    words: frozenset[str]
    by_key: Mapping[str, Words]
    """Kind of key -> key -> word; of several with the same key, that of the first scope."""

    @classmethod
    def of(cls, lexicons: Sequence[Lexicon]) -> Vocabulary:
        """Of the scopes' lexicons, in their order."""
        tables: dict[str, dict[str, str]] = {kind: {} for kind in KEYS}
        for lexicon in reversed(lexicons):
            for kind, own in lexicon.by_key.items():
                tables[kind].update(own)
        return cls(frozenset().union(*(lexicon.all_words for lexicon in lexicons)), tables)


def ungarbled(plain: AlignedText, vocabulary: Vocabulary) -> list[AlignedText]:
    """What a text says if its words are garbled in one of these ways; nothing for ordinary text.

    Args:
        plain: the text as it is read otherwise.
        vocabulary: of the scopes: a word of theirs is preferred to an everyday one.
    """
    own = vocabulary.words
    found = in_digits(plain, own)
    ways: dict[int, dict[tuple[int, int], Words]] = {}  # one reading per way, of all lines that it explains
    for line in _LINE.finditer(plain.text):
        written = [match.group() for match in _WORD.finditer(line.group())]
        shouted = all(word.isupper() for word in written)
        words = [word.lower() for word in written if shouted or len(word) > LONGEST_ACRONYM or not word.isupper()]
        telling = [word for word in words if len(word) > 2]
        strange = {word for word in words if not _is_known(word, own)}
        if len(words) > MOST_WORDS:
            continue
        vowelless = {word for word in words if _has_no_vowel(word) and word not in own}
        if 2 * len(vowelless) > len(telling):
            strange |= vowelless  # "str" is a word only among others
        if not strange:
            continue
        for way, new in _restorations(words, strange, telling, vocabulary):
            ways.setdefault(way, {})[line.span()] = new
            if all(word[::-1] == other for word, other in new.items()):  # the whole line may be backwards
                found.append(_line_backwards(plain, line.span()))
    return [*found, *(_with(plain, ways[way]) for way in sorted(ways))]


def in_digits(plain: AlignedText, own: frozenset[str]) -> list[AlignedText]:
    """Readings in which words of a scope are seen that were written with digits: H0gw4rts. One is enough."""

    def replaced(table: dict[int, int], match: re.Match[str]) -> str | list[str]:
        meant = match[0].translate(table)
        return list(meant if bare(meant) in own and bare(match[0]) not in own else match[0])

    if not any(map(str.isdigit, plain.text)):
        return []
    readings = [plain.sub(LEET_WORD, partial(replaced, table)) for table in LETTERS]
    return [reading for reading in readings if reading.text != plain.text]


def _restorations(
    words: Sequence[str], strange: set[str], telling: Sequence[str], vocabulary: Vocabulary
) -> list[tuple[int, Words]]:
    """Per way of garbling that explains the text, by number, its strange words and what they were."""
    own = vocabulary.words
    tables = {kind: [vocabulary.by_key[kind], everyday_by_key()[kind]] for kind in KEYS}
    ways: list[Words] = [
        {
            word: meant
            for word in strange
            if fits(word) and (meant := next(filter(None, (_meant(KEYS[k](word), tables[k]) for k in kinds)), None))
        }
        for kinds, fits in WAYS
    ]
    before = sum(word not in strange for word in telling)
    # These two need no word to be known: where they explain the others, they hold for it as well; and in a line of
    # strange words, for what looks like a word by chance.
    changed = set(words) if 2 * before <= len(telling) else strange
    ways.append({word: word[::-1] for word in changed})
    ways += [{word: _moved(word, by) for word in changed} for by in range(1, 26)]
    found: list[tuple[int, Words]] = []
    for way, new in enumerate(ways):
        is_scopes = any(meant in own for word, meant in new.items() if len(word) > 2)
        if not is_scopes and 2 * before > len(telling):
            continue
        after = sum(_is_known(new.get(word, word), own) for word in telling)
        if new and len(telling) and after >= READABLE * len(telling) and (is_scopes or after - before >= 2):
            found.append((way, new))
    return found


def _is_known(word: str, own: frozenset[str]) -> bool:
    key = bare(word)
    if len(key) < 2:
        return True
    stems = [key, *(key[: -len(ending)] for ending in _ENDINGS if key.endswith(ending) and len(key) - len(ending) > 2)]
    return any(stem in everyday_words() or stem in own for stem in stems)


def _meant(key: str, tables: Iterable[Words]) -> str | None:
    return next((word for table in tables if (word := table.get(key)) is not None), None)


def _with(plain: AlignedText, lines: Mapping[tuple[int, int], Words]) -> AlignedText:
    """The text with other words in some of its lines, which come in order."""
    spans = iter(lines.items())
    (start, end), new = next(spans)

    def replaced(match: re.Match[str]) -> str | list[str]:
        nonlocal start, end, new
        while match.start() >= end and (following := next(spans, None)) is not None:
            (start, end), new = following
        meant = new.get(match.group().lower()) if start <= match.start() < end else None
        if meant is None:
            return list(match.group())
        return meant.capitalize() if any(letter.isupper() for letter in match.group()) else meant

    return plain.sub(_WORD, replaced)


def _line_backwards(plain: AlignedText, line: tuple[int, int]) -> AlignedText:
    start, end = line
    return AlignedText(plain.text[start:end][::-1], plain.starts[start:end][::-1], plain.ends[start:end][::-1])


def _moved(word: str, by: int) -> str:
    return "".join(chr(97 + (ord(c) - 97 - by) % 26) if "a" <= c <= "z" else c for c in word)


def inner_letters(word: str) -> str:
    """The first letter, those between in order, the last one: "harry" and "hrary" alike."""
    return word[0] + "".join(sorted(word[1:-1])) + word[-1]


def all_letters(word: str) -> str:
    """All letters in order."""
    return "".join(sorted(word))


def consonants(word: str) -> str:
    """A word without vowels."""
    return _VOWELS.sub("", word)


def hard_consonants(word: str) -> str:
    """A word without vowels and y."""
    return consonants(word).replace("y", "")


def _has_no_vowel(word: str) -> bool:
    return len(word) > 1 and _VOWELS.search(word, 1) is None


KEYS: dict[str, Key] = {
    "inner letters": inner_letters,
    "all letters": all_letters,
    "consonants": consonants,
    "hard consonants": hard_consonants,
}
WAYS: tuple[tuple[tuple[str, ...], Callable[[str], bool]], ...] = (
    (("inner letters", "all letters"), lambda word: len(word) > 3),
    (("consonants", "hard consonants"), _has_no_vowel),
)
"""Ways of garbling: the keys that survive it, best first, and whether a word may be garbled so."""


def by_key(words: Iterable[str]) -> dict[str, dict[str, str]]:
    """Kind of key -> key -> word; of two with the same key, the first one."""
    tables: dict[str, dict[str, str]] = {kind: {} for kind in KEYS}
    for word in words:
        for kind, key_of in KEYS.items():
            key = key_of(word) if len(word) > 1 else ""
            if len(key) > 1:
                tables[kind].setdefault(key, word)
    return tables


@lru_cache(maxsize=1)
def everyday_by_key() -> dict[str, dict[str, str]]:
    """Everyday words, the most frequent first."""
    costs = word_costs()[0]
    return by_key(sorted(costs, key=lambda word: (costs[word], word)))
