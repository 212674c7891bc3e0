"""A name -> the symbols by which it is recognised: all its forms, with and without spaces, its plural, spelled out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from unlearned.answers.folding import APART, COMMA, GAPS, JOINED, LETTERS, WORD, sign, symbols
from unlearned.classify.decoding import everyday_words
from unlearned.classify.lexicon import ScopeName
from unlearned.names.forms import form_classes, name_forms
from unlearned.names.parts import entity_core
from unlearned.names.words import KEPT
from unlearned.substitution.spelling import ordinary_words

SHARED = ("title and last name",)
"""Classes of forms that are other people's, too: "Mr. Potter"."""

LEAST_SPELLED = 5
"""Letters of a name that is also recognised letter by letter: "H-o-g-w-a-r-t-s"."""

APART_WORDS, BY_CAPITAL, ONE_WORD = range(3)
JOINTS = (APART_WORDS, BY_CAPITAL, ONE_WORD)

MOST_WORDS = 4
"""Words of a name up to which each space may be missing by itself; in longer names all spaces are, or none."""


def spellings(name: ScopeName) -> list[list[str]]:
    """The symbols of every form of a name, without duplicates; none of a name that is a common word.

    One that was found in the data and is not distinctive without its capital (`alone`) has no forms but its plural.
    """
    if not name.alone and name.given:
        return []
    own = [
        form
        for label, forms in form_classes(name.name, kind=name.kind).items()
        if label not in SHARED
        for form in forms
    ]
    also = name_forms(name.name, kind="work", aliases=name.aliases)
    whole = {form for given in (name.name, *name.aliases) for form in (given, entity_core(given))}
    if not name.alone:
        plain = [symbols(form) for form in whole if is_telling(form)]
        return [spelt for form in plain for spelt in (form, [*form, "s"])]
    kept = [form for form in dict.fromkeys([*own, *also]) if is_telling(form, given=form in whole)]
    found: dict[tuple[str, ...], None] = {}
    for form in kept:
        for spelt in _joined(symbols(form)):
            found[tuple(spelt)] = None
            if spelt[-1] not in ("s", WORD):
                found[(*spelt, "s")] = None
        if form in whole:
            letters = [sign(one).letters for one in form if sign(one).kind == LETTERS]
            if len(letters) >= LEAST_SPELLED:
                found[tuple(symbols(" ".join("".join(letters))))] = None
    return [list(spelt) for spelt in found]


def is_telling(form: str, *, given: bool = True) -> bool:
    """Whether a form alone says whom it means: several words, or one that is no common word.

    Args:
        form: a form of a name.
        given: it is the name as it was given; a single word that is only left of a longer name never tells.
    """
    words = "".join(symbols(form)).replace("|", " ").replace(",", " ").replace(WORD, " ").split()
    if len(words) > 1 and not set(words[:-1]) <= KEPT:
        return any(len(word) > 1 or sign(word).alone for word in words)
    words = words[-1:]
    if not words:
        return False
    return given and len(words[0]) > 2 and words[0] not in ordinary_words() | everyday_words() | KEPT


def _joined(spelt: list[str]) -> Iterator[list[str]]:
    """A form with its spaces and without: "Obi-Wan Kenobi", "ObiWan Kenobi", "obiwankenobi".

    Between two words stand a gap and the mark of the second word; the mark alone, where only its capital tells; or
    nothing.
    """
    marks = [
        n for n, symbol in enumerate(spelt) if symbol == WORD and n and spelt[n - 1] not in (GAPS[COMMA], GAPS[APART])
    ]
    ways = [JOINTS] * len(marks) if len(marks) < MOST_WORDS else None
    choices = product(*ways) if ways is not None else [(joint,) * len(marks) for joint in JOINTS]
    for joints in choices:
        at = dict(zip(marks, joints, strict=True))
        found: list[str] = []
        for n, symbol in enumerate(spelt):
            joint = at.get(n)
            if joint is None:
                found.append(symbol)
                continue
            if found[-1] == GAPS[JOINED] and joint != APART_WORDS:
                found.pop()
            if joint != ONE_WORD:
                found.append(symbol)
        yield found
