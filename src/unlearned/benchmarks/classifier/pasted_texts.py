"""What machines write and people paste: logs, JSON, source code, hexadecimal dumps."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence

LINES = 150
"""Lines of a log, records of a list."""

_VERBS = ("load", "merge", "count", "parse", "render", "resolve", "update", "validate")
_NOUNS = ("row", "token", "order", "header", "vertex", "packet", "invoice", "sample")


def log(rng: random.Random) -> str:
    """Requests of a web server, a line each."""
    return "\n".join(
        f"2026-10-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z "
        f"host{rng.randint(1, 40)} srv[{rng.randint(1000, 9999)}]: {rng.choice(('GET', 'POST', 'PUT'))} "
        f"/api/v{rng.randint(1, 3)}/items/{rng.getrandbits(32):08x} {rng.choice((200, 404, 500))} "
        f"{rng.randint(1, 900)}ms id={rng.getrandbits(64):016x}"
        for _ in range(LINES)
    )


def records(rng: random.Random) -> str:
    """A list of JSON objects."""
    made = [
        {
            "id": rng.getrandbits(48),
            "name": f"user{rng.randint(1, 9999)}",
            "hash": f"{rng.getrandbits(128):032x}",
            "price": round(rng.random(), 4),
            "tags": [f"t{rng.randint(1, 99)}" for _ in range(3)],
        }
        for _ in range(LINES)
    ]
    return json.dumps(made, indent=1)


def code(rng: random.Random) -> str:
    """Functions in Python."""
    return "\n\n".join(
        f"def {rng.choice(_VERBS)}_{rng.choice(_NOUNS)}({noun}s: list[{rng.choice(('int', 'str', 'float'))}], "
        f"limit: int = {rng.randint(2, 99)}) -> dict[str, int]:\n"
        f"    found = {{}}\n"
        f"    for index, {noun} in enumerate({noun}s[:limit]):\n"
        f"        if {noun} is None or index % {rng.randint(2, 9)} == 0:\n"
        f'            raise ValueError(f"no {noun} at {{index}}")\n'
        f"        found[str({noun})] = found.get(str({noun}), {rng.randint(0, 9)}) + index\n"
        f"    return dict(sorted(found.items()))"
        for noun in (rng.choice(_NOUNS) for _ in range(LINES // 5))
    )


def dump(rng: random.Random) -> str:
    """Hexadecimal numbers."""
    return " ".join(f"{rng.getrandbits(32):08x}" for _ in range(8 * LINES))


PASTED_TEXTS: Mapping[str, Callable[[random.Random], str]] = {
    "a log": log,
    "JSON": records,
    "code": code,
    "hexadecimal": dump,
}


def tokens_of(texts: Sequence[str]) -> list[int]:
    """How many tokens each text has for the packaged encoder."""
    from unlearned.classify.sentences import sentence_encoder
    from unlearned.embedded import MINILM

    return sentence_encoder(MINILM).token_counts(texts)
