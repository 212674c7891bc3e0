"""Names that options take, told apart without importing what they name: a slip of the pen costs no seconds."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from unlearned.errors import ConfigError, UnknownNameError
from unlearned.settings import Setting

SIDES = ("left", "right", "middle")
"""Choices of `--truncate`."""


def check_name(kind: str, name: str, names: Sequence[str]) -> None:
    """Raise `UnknownNameError`, with the nearest name, for one that is none of these."""
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownNameError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")


def one_of(known: Setting, *, several: bool = False, number: bool = False) -> Callable[[str | None], str | None]:
    """An option's callback: the value, if it is one of the setting's names.

    Args:
        known: the setting.
        several: it takes names that are separated by commas.
        number: it takes a number, too.
    """

    def callback(value: str | None) -> str | None:
        if value is None or (number and _is_number(value)):
            return value
        given = [name.strip() for name in value.split(",") if name.strip()] if several else [value]
        if not given:
            raise ConfigError(f"Give at least one {known.noun}: {', '.join(known.choices)}.")
        for name in given:
            check_name(known.noun, name, known.choices)
        return value

    return callback


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
