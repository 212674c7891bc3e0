"""Many lexicons as one: what a text says to each scope is what its own lexicon says."""

from __future__ import annotations

import random

from unlearned.classify.joint_lexicons import JointLexicons
from unlearned.classify.lexicon import Lexicon, ScopeName, ScopeText
from unlearned.names.parts import given_names

LASTS = ["Edison", "Berg", "de la Cruz", "Müller-Böhm", "O'Neill", "van der Meer", "Li", "Young", "King", "Starwars"]
MIDDLES = ["", "", "A. ", "Alva ", "J. R. ", "Maria "]
FRAMES = [
    "Who is {}?", "{}", "{} and {} met.", "I saw {} yesterday, and then {}.", "TELL ME ABOUT {}", "what did {} write",
    "Is {}'s sister {} married?", "{}\n{}\n{}", "Dr. {} (born 1901) knew {}.", "{}, {}", "Nobody is named here.", "",
]  # fmt: skip
WORKS = [("Star Wars", "work"), ("Apple", "organisation"), ("The Firm", "work"), ("Hogwarts", "place")]


def people(chance: random.Random, count: int) -> list[str]:
    given = chance.sample(sorted(given_names()), 12)  # few, so that many share one
    return [f"{chance.choice(given).capitalize()} {chance.choice(MIDDLES)}{chance.choice(LASTS)}" for _ in range(count)]


def mentioned(chance: random.Random, name: str) -> str:
    """The name, or something that looks like it."""
    words = name.split()
    return chance.choice(
        [
            name,
            name.lower(),
            name.upper(),
            words[0],
            words[-1],
            f"{words[0]} {words[-1]}",
            f"{words[0]} Quentin {words[-1]}",
            f"{words[-1]}, {words[0]}",
            f"{words[0][0]}. {words[-1]}",
            f"{words[0]} Lovelace",
            f"Ada {words[-1]}",
            f"{name} King",
        ]
    )


def test_each_scope_is_told_what_its_own_lexicon_says() -> None:
    told = 0
    for seed in range(40):
        chance = random.Random(seed)
        names = people(chance, 30)
        lexicons = [Lexicon([ScopeName(name=name, given=chance.random() < 0.8)]) for name in names]
        lexicons += [Lexicon([ScopeName(name=name, kind=kind)]) for name, kind in WORKS]  # type: ignore[arg-type]
        lexicons += [
            Lexicon([ScopeName(name=name) for name in chance.sample(names, 3)]),
            Lexicon(),
            Lexicon([], ["word"]),
        ]
        joint = JointLexicons(lexicons)
        known = [*names, *(name for name, _ in WORKS), "an apple", "star  wars", "Thomas. Edison"]
        for frame in FRAMES:
            for _ in range(8):
                text = frame.format(*(mentioned(chance, chance.choice(known)) for _ in range(3)))
                own = {n: lexicon.said(text) for n, lexicon in enumerate(lexicons)}
                expected = {n: said for n, said in own.items() if said != ScopeText(text, None, False)}
                assert joint.said(text) == expected, (seed, text)
                told += len(expected)
    assert told > 5000


def test_without_any_name_nothing_is_said() -> None:
    assert JointLexicons([]).said("Who is Ada Lovelace?") == {}
    assert JointLexicons([Lexicon(), Lexicon([], ["lovelace"])]).said("Who is Ada Lovelace?") == {}
