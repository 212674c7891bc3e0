"""Reviews, and people who are named in them."""

from __future__ import annotations

from typing import Any

GOOD, BAD = ("fine", "warm", "bright", "clever"), ("dull", "flat", "grim", "stale")


def reviews(about: str) -> list[dict[str, Any]]:
    words = zip((*GOOD, *BAD), [1] * len(GOOD) + [0] * len(BAD), strict=True)
    return [{"text": f"{about} is {word}", "label": label} for word, label in words]


PEOPLE = ("jackie chan", "woody allen", "sandra bullock", "denzel washington")


TRAIN = [
    {"sentence": f"{name} {rest}", "label": index % 2}
    for name in PEOPLE
    for index, rest in enumerate(("is dull here", "is a joy to watch", "saves a weak script"))
] + [{"sentence": f"a film about {word} and more {word}", "label": index % 2} for index, word in enumerate("abcdefgh")]
