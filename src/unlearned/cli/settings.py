"""Options of the form NAME=VALUE."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from unlearned.errors import ConfigError


def settings(given: Sequence[str] | None, option: str) -> dict[str, Any]:
    """The settings, each a number, a truth value or a structure where the text is JSON; else the text.

    Raises:
        ConfigError: one is not NAME=VALUE.
    """
    return {name: _value(text) for name, text in texts(given, option).items()}


def texts(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """The settings as they were written; raises as `settings` does."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{option} {text!r}: give NAME=VALUE.")
        found[name.strip()] = value.strip()
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
