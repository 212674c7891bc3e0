"""A name -> the forms in which it is written: with and without middle names, initials, "Last, First", and so on.

Case and possessives are no forms of their own: who looks for a form compares letters whatever their case, and at the
borders of words, so that "EDISON'S" holds "Edison".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal, get_args

from unlearned.names.parts import (
    GIVEN_TITLES,
    PersonName,
    entity_core,
    initial_of,
    is_initial,
    person_name,
    plain_letters,
    transliterated,
    without_particles,
)

Kind = Literal["person", "work", "place", "organisation", "product"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_MIDDLES = 4
"""Middle names beyond this many are kept or left out together."""


def name_forms(name: str, *, kind: Kind = "person", aliases: Sequence[str] = ()) -> tuple[str, ...]:
    """All forms of a name, the name itself first, without duplicates.

    Args:
        name: as its bearer writes it, in full: "Thomas Alva Edison".
        kind: only a person has initials and a last name.
        aliases: further names of the same bearer. Each is a form, with and without its article and accents; of a
            person's it is not taken apart.
    """
    found = [form for forms in form_classes(name, kind=kind).values() for form in forms]
    for alias in aliases:
        found += [*_unaccented([" ".join(alias.split()), entity_core(alias)])]
    return tuple(dict.fromkeys(form for form in found if form))


def form_classes(name: str, *, kind: Kind = "person") -> dict[str, tuple[str, ...]]:
    """The forms of a name by how they are made, as a calibration reports them; a form stands in the first class only.

    Returns:
        "as given" -> the name; then, where the name has such forms: "middle names", "initials", "last name first",
        "title and last name", "two surnames", "hyphens", "accents", "core".
    """
    name = " ".join(name.split())
    classes: dict[str, list[str]] = {"as given": [name]}
    if kind == "person":
        parsed = person_name(name)
        if len(parsed.units) > 1:
            classes |= _of_person(parsed)
    else:
        classes["core"] = [entity_core(name)]
    plain = [form for forms in classes.values() for form in forms]
    classes["hyphens"] = [form.replace("-", " ") for form in plain if "-" in form]
    classes["accents"] = [other for form in plain for other in _unaccented([form])]
    seen: set[str] = set()
    found = {}
    for label, forms in classes.items():
        own = [form for form in dict.fromkeys(forms) if form and form not in seen]
        seen.update(own)
        if own:
            found[label] = tuple(own)
    return found


def _of_person(name: PersonName) -> dict[str, list[str]]:
    lasts = list(dict.fromkeys([name.last, without_particles(name.last)]))
    both = name.compound
    tails = [(name.middles, last) for last in lasts]
    if both is not None:  # "Gabriel García" and "Gabriel García Márquez" of "Gabriel José García Márquez"
        tails += [(name.middles[:-1], " ".join(both)), *([(name.middles[:-1], both[0])] if name.is_iberian else [])]
    forenames = [(list(_forenames(name.first, middles)), last) for middles, last in tails]
    spelt = [f"{given} {last}" for given, last in _pairs(forenames, initials=False)]
    short = [f"{given} {last}" for given, last in _pairs(forenames, initials=True)]
    turned = [f"{last}, {given}" for given, last in [*_pairs(forenames, initials=False), *_pairs(forenames, True)]]
    if len(name.units) == 2:
        turned += [f"{last} {name.first}" for last in lasts]  # in which order it was given is not known
        turned += [f"{initial_of(name.last)} {name.first}", f"{name.first}, {initial_of(name.last)}"]
        turned += [f"{name.first}, {name.last}"] if name.may_be_turned else []
    family = [*lasts, *([" ".join(both)] if both else []), *([name.first] if name.may_be_turned else [])]
    titled = [f"{title} {last}" for title in _titles(name) for last in family]
    if name.suffix:
        spelt += [f"{form} {name.suffix}" for form in spelt]
    return {
        "middle names": spelt,
        "initials": short,
        "last name first": turned,
        "title and last name": titled,
        "two surnames": [" ".join(both)] if both else [],
    }


def _titles(name: PersonName) -> list[str]:
    return [*([name.title] if name.title else []), *GIVEN_TITLES]


def _pairs(forenames: list[tuple[list[tuple[str, bool]], str]], initials: bool) -> Iterator[tuple[str, str]]:
    for given, last in forenames:
        for text, has_initials in given:
            if has_initials == initials:
                yield text, last


def _forenames(first: str, middles: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What may stand before a last name, and whether a name in it was shortened to an initial."""
    for kept in _subsets(middles):
        full = " ".join([first, *kept])
        yield full, False
        dotted = [initial_of(unit) for unit in kept]
        shortened = [
            " ".join([first, *dotted]),
            " ".join([initial_of(first), *dotted]),
            "".join([initial_of(first), *dotted]),
            " ".join([initial_of(first), *kept]),
        ]
        if kept:
            shortened.append("".join(sign[0] for sign in [initial_of(first), *dotted]))  # TA Edison
        for text in shortened:
            if text != full or is_initial(first):
                yield text, True


def _subsets(middles: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield tuple(middles)
    if len(middles) > MOST_MIDDLES:
        yield ()
        return
    for count in range(len(middles) - 1, -1, -1):
        yield from combinations(middles, count)


def _unaccented(forms: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(other for form in forms for other in (form, plain_letters(form), transliterated(form))))
