"""Measurements of the package itself, which were commands of `unlearned bench` and are run from a clone now."""

from __future__ import annotations

from collections.abc import Mapping

MOVED: Mapping[str, str] = {
    **{name: name for name in ("speed", "serve", "load", "index", "strength", "corruptions", "methods")},
    "mmlu --speed": "exams",
}
"""What was given to `unlearned bench` -> command of `python -m bench`."""


def moved(name: str) -> str:
    """What is said to whoever asks for one of them."""
    return (
        f"`unlearned bench {name}` measures this package itself and is not installed with it. "
        f"In a clone of the repository: python -m bench {MOVED[name]}"
    )
