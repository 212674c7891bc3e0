"""What a scope holds back in answers: names in its prompts and answers that mean it alone; a filter of its texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from unlearned.answers.quotes import QuoteFilter
from unlearned.answers.withheld import AnswerPolicy, Withheld
from unlearned.classify.base import TextEncoder
from unlearned.classify.decoding import everyday_words
from unlearned.classify.lexicon import ScopeName
from unlearned.classify.sentences import SentenceEncoder
from unlearned.examples import Row, background_prompts
from unlearned.learn.naming import texts_of
from unlearned.learn.whole_names import whole_names
from unlearned.names.matcher import key_of, tokens
from unlearned.names.parts import bare, given_names, is_title
from unlearned.names.words import KEPT
from unlearned.substitution.bank import stand_ins
from unlearned.substitution.spelling import has_capital, is_known, is_rank, ordinary_words, packaged_words, singulars
from unlearned.words import squash

LEAST_LETTERS = 4
"""Fewest letters of a name of one word."""

OFTEN = 5
"""Rows in which a word that is no rarity stands alone as a name, until it means the scope; and their share."""

OFTEN_SHARE = 0.1

SHARE = 0.02
"""Share of the rows that must have a name of the scope: in many rows, what only two have is a place or an award."""

MOST_NAMES = 2_000

_OF = re.compile(r" of(?: the)? ")
_KNOWN = "known"
"""In `stand_ins`: names that everybody knows, such as those of countries."""


def withheld_of(
    forget: Sequence[Row],
    retain: Sequence[Row],
    given: Sequence[ScopeName],
    encoder: TextEncoder,
    secret: bytes,
    *,
    policy: AnswerPolicy,
) -> Withheld:
    """What the artifact of one scope holds back.

    Args:
        forget: the forget prompts, with the answers that came with them.
        retain: close prompts: what they name is not held back, nor is what they say.
        given: names that the user gives.
        encoder: the classifier's; its vocabulary tells which words are common.
        secret: of the artifact.
        policy: what of it is held back.
    """
    names = [*given, *names_to_withhold(forget, retain, _is_common(encoder), given)]
    quotes = QuoteFilter.of(secret, _passages(forget), common=[*background_prompts(), *texts_of(retain)])
    return Withheld(names=tuple(names), quotes=quotes, policy=policy)


def names_to_withhold(
    forget: Sequence[Row], retain: Sequence[Row], is_common: Callable[[str], bool], given: Sequence[ScopeName] = ()
) -> list[ScopeName]:
    """Names that mean the scope wherever they stand, the most frequent first.

    A name of several words counts if a prompt or two answers have it; of common words alone, if a prompt and another
    row have it. A word alone counts if it is a rarity ("Hogwarts") or many prompts are about it ("Jedi"); one that
    never stands alone ("Granger"), with a capital only. None counts that the close or the packaged prompts know, nor a
    part of a name that the user gives.
    """
    asked, told, alone = Counter[str](), Counter[str](), Counter[str]()
    least, often = max(1, round(SHARE * len(forget))), max(OFTEN, OFTEN_SHARE * len(forget))
    spellings: dict[str, str] = {}
    for row in forget:
        texts = texts_of([row])
        in_prompt, in_row = set(_candidates(row.prompt)), {name for text in texts for name in _candidates(text)}
        for name in in_row:
            spellings.setdefault(key_of(name), name)
        asked.update({key_of(name) for name in in_prompt})
        alone.update({key_of(name) for text in texts for name in _lone(text)})
        told.update({key_of(name) for name in in_row})
    others = bare(" ".join([*texts_of(retain), *background_prompts()]))
    other_words = frozenset(token.key for text in texts_of(retain) for token in tokens(text)) | everyday_words()
    found: list[ScopeName] = []
    forms = [form for one in given for form in (one.name, *one.aliases)]
    of_user = {key_of(form) for form in forms} | {token.key for form in forms for token in tokens(form)}
    for key, times in told.most_common():
        name = spellings[key]
        if key in of_user or len(found) >= MOST_NAMES or times < (least if asked[key] else max(2, least)):
            continue
        words = [token.key for token in tokens(name)]
        is_rare = any(not is_common(word) for word in words if len(word) >= LEAST_LETTERS)
        if len(words) > 1:
            if (is_rare or (asked[key] and times > 1 and not _is_known(words))) and bare(name) not in others:
                found.append(ScopeName(name=name, kind="person" if is_rare else "work", given=False))
        elif _is_telling(words[0], alone[key] / often, is_common) and words[0] not in other_words:
            singular = [
                stem for stem, _ in singulars(name) if not is_common(stem) and not is_known(squash(stem), other_words)
            ]
            by_itself = alone[key] > 1
            found.append(ScopeName(name=name, kind="work", aliases=tuple(singular), given=False, alone=by_itself))
    return found


def _is_telling(word: str, alone: float, is_common: Callable[[str], bool]) -> bool:
    if len(word) < LEAST_LETTERS or word in given_names() | KEPT or is_known(word, ordinary_words()):
        return False
    if word in _squashed(*stand_ins()):
        return False
    return alone >= 1 if is_common(word) else True


def _is_known(words: Sequence[str]) -> bool:
    return not _squashed(_KNOWN).isdisjoint(words)


@lru_cache(maxsize=2)
def _squashed(*kinds: str) -> frozenset[str]:
    """The packaged words of these kinds."""
    return frozenset(squash(word) for kind in kinds for word in stand_ins().get(kind, ()))


def _lone(text: str) -> Iterator[str]:
    """The words of a text that are a whole name."""
    [own] = whole_names([text])
    yield from (words[0].group() for words in own if len(words) == 1 and words[0]["word"])


def _candidates(text: str) -> Iterator[str]:
    """Names in a text: whole ones, joined by "of" as well, and each word of them alone."""
    [own] = whole_names([text])
    names = []
    for words in own:
        while len(words) > 1 and (is_title(words[0].group()) or is_rank(words[0]) or words[0]["initial"]):
            words = words[1:]
        if all(has_capital(word.group()) for word in words) and len(words[0].group()) > 1:
            names.append(words)
    for place, words in enumerate(names):
        start, end = words[0].start(), words[-1].end()
        if len(words) > 1:
            yield text[start:end]
        yield from (word.group() for word in words if word["word"])
        if place + 1 < len(names) and _OF.fullmatch(text[end : names[place + 1][0].start()]):
            yield text[start : names[place + 1][-1].end()]


def _is_common(encoder: TextEncoder) -> Callable[[str], bool]:
    if isinstance(encoder, SentenceEncoder):
        return encoder.is_common_word
    return lambda word: squash(word) in packaged_words()


def _passages(forget: Sequence[Row]) -> Iterator[str]:
    """The texts of a scope: answers, and what was given as a text rather than asked."""
    for row in forget:
        yield from (text for text in (row.answer, row.paraphrased_answer) if text)
        if not row.prompt.rstrip().endswith("?"):
            yield row.prompt
