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
    found: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{option} {text!r}: give NAME=VALUE.")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found
