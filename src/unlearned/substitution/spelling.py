"""Which words of a text are names? By their spelling, without a model; for languages with capital letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from unlearned.examples import background_prompts
from unlearned.names.words import KEPT as KEPT
from unlearned.words import squash

RARE_WORDS = 3
"""So many words are replaced in a prompt without a name: enough to hide what it is about, few enough to read it."""

_RANKS = frozenset(
    "captain count countess doctor dr emperor empress king lady lord miss mr mrs ms president prince princess prof "
    "professor queen saint sir".split()
)
MONTHS = "January February March April May June July August September October November December".split()
TOKEN = re.compile(
    r"\b(?P<date>\d{1,2}([/.-])\d{1,2}\2\d{4}|\d{4}-\d\d-\d\d)\b"
    rf"|\b(?P<day>\d{{1,2}}(?:st|nd|rd|th)?)(?=(?: of)? (?:{'|'.join(MONTHS)})\b)"
    rf"|(?:{'|'.join(f'(?<={month} )' for month in MONTHS)})(?P<day_after>\d{{1,2}}(?:st|nd|rd|th)?)\b"
    r"|(?<![\w.,$£€#])(?P<year>1\d{3}|20\d\d)(?=s?\b)(?![.,]?\d)"
    r"|(?<![\w-])(?=[A-Z\d-]*\d)(?:(?=[\d-]*[A-Z])|(?=(?:\d-?){5}))(?P<code>[A-Z\d]+(?:-[A-Z\d]+)*)(?![\w-])"
    r"|(?<![^\W_])(?<!\n)(?P<initial>[A-Z](?=\.\s?[A-Z]|['’][A-Z])|(?<=[A-Z]\.)[A-Z](?=\.))"
    r"|(?P<word>[^\W\d_](?:(?!(?<=[a-z])[A-Z])[^\W\d_]|[\u0300-\u036f])*)"  # McGonagall is two words
)
_QUOTED = re.compile(r"[\"“«]([^\"“”«»\n]{2,120})[\"”»]|(?<!\w)['‘]((?:[^'‘’\n]|(?<=\w)['’](?=\w)){2,120})['’](?!\w)")


def names_in(texts: Sequence[str]) -> list[str]:
    """Words and codes that are names somewhere in the texts: one spelling of each, capitals the last choice."""
    words = [token.group() for text in texts for token in TOKEN.finditer(text) if token["word"]]
    in_lower_case = ordinary_words() | KEPT | {squash(word) for word in words if not has_capital(word)}
    names: dict[str, str] = {}
    for text in texts:
        titles = [match.span() for match in _QUOTED.finditer(text) if _is_title(match[1] or match[2])]
        for token in TOKEN.finditer(text):
            in_title = any(start < token.start() < end for start, end in titles)
            if token["code"] or (token["word"] and _is_name(token, in_title, in_lower_case)):
                key = squash(token.group())
                if key not in names or is_acronym(names[key]):
                    names[key] = token.group()
    return list(names.values())


def _is_name(token: re.Match[str], in_title: bool, in_lower_case: frozenset[str]) -> bool:
    word, key, before = token.group(), squash(token.group()), token.string[: token.start()]
    is_short = len(key) < 2 or re.fullmatch("[IVX]+", word) is not None  # vitamin C, Henry VIII
    is_stressed = len(key) > 4 and word.isupper() and key in ordinary_words()  # "EXCEPT"
    is_negated = re.match("['’]t\\b", token.string[token.end() :]) is not None  # Isn't
    if key in KEPT or is_short or is_stressed or is_negated or is_rank(token):
        return False
    if not has_capital(word):  # the second half of Tae-ho or Ta'aysha, but not of Paris-based or I'll
        marks = "-'’" if len(word) > 2 else "-"
        joined = before.endswith(tuple(marks)) and re.search(r"[A-Z]\w*.$", before) is not None
        return joined and not is_known(key, ordinary_words())
    return in_title or not starts_sentence(before) or not is_known(key, in_lower_case)


def is_known(key: str, words: frozenset[str]) -> bool:
    """The word, or what it is an inflection of, is among the words."""
    endings = [ending for ending in ("s", "es", "d", "ed", "r", "er", "ing", "ly") if key.endswith(ending)]
    stems = {key[: -len(ending)] for ending in endings if len(key) - len(ending) > 2}
    return not words.isdisjoint({key} | stems | {stem + "e" for stem in stems})


def starts_sentence(before: str) -> bool:
    """Whether any word has a capital behind this text."""
    before = before[-20:].rstrip(" \t\"'“”‘’«»([*•-")
    is_abbreviation = re.search(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof)\.$", before)
    return not before or (before[-1] in ".!?:…\n" and not is_abbreviation)


def _is_title(quoted: str) -> bool:
    words = [token.group() for token in TOKEN.finditer(quoted) if token["word"] and len(token.group()) > 1]
    return bool(words) and all(has_capital(word) or word in KEPT for word in words)


def is_rank(token: re.Match[str]) -> bool:
    """The word stands before a name and is a title: Princess Leia."""
    return token.group().lower() in _RANKS and re.match(r"\.? [A-Z]", token.string[token.end() :]) is not None


def is_acronym(word: str) -> bool:
    """A short word in capitals, or its plural: DNA, CDs."""
    return len(word) < 7 and len(word.rstrip("s")) > 1 and word.rstrip("s").isupper()


def singulars(word: str) -> list[tuple[str, str]]:
    """What a word may be the plural of, with the ending: Potters follows Potter."""
    return [(word[: -len(end)], end) for end in ("s", "es") if word.endswith(end) and len(word) > len(end) + 2]


def has_capital(word: str) -> bool:
    """Some letter of the word is a capital."""
    return word != word.lower()


@lru_cache(maxsize=1)
def packaged_words() -> frozenset[str]:
    """All words of the packaged prompts: none of them is an invention."""
    return frozenset(squash(token.group()) for prompt in background_prompts() for token in TOKEN.finditer(prompt))


@lru_cache(maxsize=1)
def ordinary_words() -> frozenset[str]:
    """Words that the packaged prompts have in lower case, or that open two of them ("Summarise")."""
    prompts = background_prompts()
    words = [token.group() for prompt in prompts for token in TOKEN.finditer(prompt) if token["word"]]
    first = Counter(token.group() for prompt in prompts if (token := TOKEN.match(prompt)) and token["word"])
    lower = {word for word in words if not has_capital(word)}
    return frozenset(map(squash, lower | {word for word, times in first.items() if times > 1}))


def common_words(texts: Sequence[str]) -> set[str]:
    """Words that the texts have at least as often in lower case as with a capital."""
    balance = Counter[str]()
    for token in (token for text in texts for token in TOKEN.finditer(text) if token["word"]):
        is_joined = (
            token.start() > 0 and token.string[token.start() - 1] in "-'’"
        )  # Ji-yeon is no sign of a common word
        balance[squash(token.group())] += -1 if has_capital(token.group()) else not is_joined
    return {word for word, lower in balance.items() if lower >= 0}


def content_words(prompt: str) -> list[str]:
    """The words after the first that say what the prompt is about."""
    words = [token.group() for token in TOKEN.finditer(prompt) if token["word"]]
    return [word for word in words[1:] if len(squash(word)) > 2 and squash(word) not in KEPT]


def rare_words(prompt: str) -> list[str]:
    """The longest of its words that the packaged prompts do not have, at most `RARE_WORDS`."""
    words = {
        word for word in content_words(prompt) if not is_known(squash(word), ordinary_words()) and not is_acronym(word)
    }
    return sorted(words, key=lambda word: (-len(word), word))[:RARE_WORDS]
