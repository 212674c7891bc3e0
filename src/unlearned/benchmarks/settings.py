"""Settings of what is compared: NAME for all, `UNLEARNER.NAME` for one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from unlearned.errors import ConfigError

Settings = Mapping[str, Any]
"""Fields of a configuration by name; one that is for a single unlearner has its name and a dot in front."""


def settings_of(name: str, settings: Settings) -> dict[str, Any]:
    """Those for all unlearners, and in their place those for this one."""
    own = {key.removeprefix(f"{name}."): value for key, value in settings.items() if key.startswith(f"{name}.")}
    return {key: value for key, value in settings.items() if "." not in key} | own


def check_settings(settings: Settings, kind: type[Any], unlearners: Sequence[str], option: str) -> None:
    """Raise unless these are fields of `kind`, with values that it takes: now, and not after an hour.

    Args:
        settings: to be checked.
        kind: a configuration.
        unlearners: those that may have settings of their own.
        option: by which the user gave them.

    Raises:
        ConfigError: a field that `kind` does not have, a value it does not take, or an unlearner that is not there.
    """
    known = {field.name for field in fields(kind)}
    for key in settings:
        name, dot, field = key.rpartition(".")
        if dot and name not in unlearners:
            among = f"is not among the unlearners {', '.join(unlearners)}" if unlearners else "cannot have its own"
            raise ConfigError(f"{option} {key}: {name!r} {among}.")
        if field not in known:
            raise ConfigError(f"{option} {key}: there is no such setting. Known: {', '.join(sorted(known))}.")
    for name in unlearners or ("",):
        try:
            kind(**settings_of(name, settings))
        except TypeError as error:  # a text where a number belongs
            raise ConfigError(f"{option}: {error}.") from error
