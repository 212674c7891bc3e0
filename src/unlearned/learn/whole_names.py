"""What the whole names in forget prompts teach about short texts, which have little else to be judged by.

A text of many short pieces (a list, the options of an exam) gives each of them a chance to resemble a name of the
scope, and each is judged alone. Two things keep that from raising alarms: words that only a longer name shares with the
scope are enrolled as the others', and a short text must be about as certain as the scope's own names are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unlearned.classify.base import Floats
from unlearned.classify.scoring import is_short
from unlearned.substitution.spelling import KEPT, TOKEN, has_capital, names_in
from unlearned.words import squash

_BETWEEN = ("", " ", "-", "'", "’", ". ")
"""What stands between two parts of one name."""

LONGEST_SYLLABLE = 3
"""Letters of a word after a hyphen that belongs to the name before it even if it is a common word: Tae-ho."""

FORMS = ("{}", "Who is {}?")
"""How a name is asked about in few words."""

WHOLE = len(FORMS)
"""The kind of a forget prompt that is short itself."""

LOST = 0.05
"""Share of the scope's own short texts that may fall below a probability of 1/2."""

LEAST_FORMS = 20
"""Fewer of the scope's own short texts of a kind say nothing about the rest."""

MOST_CERTAIN = 0.95
"""No short text has to be more certain than that."""


def whole_names(texts: Sequence[str]) -> list[list[list[re.Match[str]]]]:
    """For each text its names, each as the words that it consists of: [Harry, Potter], [Luke, S, Walker]."""
    names = {squash(name) for name in names_in(texts)}
    found = []
    for text in texts:
        own: list[list[re.Match[str]]] = []
        last_end = None
        for token in TOKEN.finditer(text):
            between = None if last_end is None else text[last_end : token.start()]
            is_syllable = between == "-" and len(token.group()) <= LONGEST_SYLLABLE
            if not (token["initial"] or is_syllable or (token["word"] and squash(token.group()) in names)):
                continue
            if between in _BETWEEN:
                own[-1].append(token)
            else:
                own.append([token])
            last_end = token.end()
        found.append(own)
    return found


def most_named(texts: Sequence[str]) -> tuple[str, int]:
    """The whole name of several words that stands most often in the texts, and how often; ("", 0) if there is none."""
    counts = Counter(words[0].string[words[0].start() : words[-1].end()] for own in whole_names(texts) for words in own)
    several = [(name, times) for name, times in counts.items() if " " in name]
    return max(several, key=lambda one: one[1], default=("", 0))


def lone_words(texts: Sequence[str], is_common: Callable[[str], bool]) -> list[str]:
    """The words of `texts` that stand in longer names there, never alone, and that the rest of the world uses, too.

    Whoever is to forget Philippe Dauphinee does not mean everybody who is called Philippe, nor "iron" for Lena Iron.
    But a classifier that has seen such a word in forget prompts only takes it for a sign of the scope.

    Args:
        texts: the forget prompts. A word that is to be found alone stands alone in one of them.
        is_common: whether a word is no invention or rarity.

    Returns:
        Each word in its first spelling, in order of appearance.
    """
    alone: set[str] = set()
    within: dict[str, str] = {}
    for own in whole_names(texts):
        for name in own:
            for token in name:
                key = squash(token.group())
                if not token["word"] or not has_capital(token.group()):
                    continue
                if len(name) > 1:
                    within.setdefault(key, token.group())
                else:
                    alone.add(key)
    return [word for key, word in within.items() if key not in alone | KEPT and is_common(word)]


@dataclass(frozen=True, slots=True)
class ShortForm:
    """A short text about a name of a prompt, or the prompt."""

    text: str
    prompt: int
    """Index of the prompt that has the name."""

    kind: int
    """Index into `FORMS`, or `WHOLE`."""


def short_forms(texts: Sequence[str]) -> list[ShortForm]:
    """Short texts about what the prompts are about: each of their names, alone and as a question; and short prompts."""
    found: dict[ShortForm, None] = {}
    for prompt, (text, own) in enumerate(zip(texts, whole_names(texts), strict=True)):
        for name in own:
            for kind, form in enumerate(FORMS):
                short = form.format(text[name[0].start() : name[-1].end()])
                if is_short(short):
                    found[ShortForm(short, prompt, kind)] = None
        if is_short(text):
            found[ShortForm(text, prompt, WHOLE)] = None
    return list(found)


def short_penalty(forms: Sequence[ShortForm], scores: Floats) -> float:
    """What may be taken from the log-odds of short texts so that almost all of the scope's own still count.

    Args:
        forms: of the forget prompts.
        scores: (N,) p(forget | form) by a classifier that had not seen the prompt.

    Returns:
        Log-odds: the `LOST` quantile of the forms that are in scope, for the kind of form that can spare least. Of the
        names of a prompt only the most certain one counts, for others are not the scope's ("New York"). 0 if there are
        few such forms.
    """
    best: dict[tuple[int, int], float] = {}
    for form, score in zip(forms, scores.tolist(), strict=True):
        best[form.prompt, form.kind] = max(best.get((form.prompt, form.kind), 0.0), score)
    certain = [[p for (_, kind), p in best.items() if kind == own and p >= 0.5] for own in range(WHOLE + 1)]
    bars = [float(np.quantile(own, LOST)) for own in certain if len(own) >= LEAST_FORMS]
    if not bars:
        return 0.0
    bar = min(*bars, MOST_CERTAIN)
    return float(np.log(bar) - np.log1p(-bar))
