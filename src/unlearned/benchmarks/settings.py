"""Settings of what is compared: NAME for all, `UNLEARNER.NAME` for one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from unlearned.errors import ConfigError
from unlearned.settings import UNLEARNERS, setting

Settings = Mapping[str, Any]
"""Fields of a configuration by name; one that is for a single unlearner has its name and a dot in front."""


NAMES = (
    "none, prompting, filtered-prompting, refusal, in-context, eco, eco-es, eco-es0, eco-rn, eco-zo, eco-semantic, "
    "eco-attribution, eco-auto, eco-hand, spul, and every method of `unlearned methods`"
)
"""The unlearners that a benchmark knows by name."""


def unlearners_setting(default: Sequence[str], names: str = NAMES) -> tuple[str, ...]:
    """The field of a benchmark's configuration that says what is compared."""
    return setting(tuple(default), f"Side by side: {names}.", group=UNLEARNERS)


def seeds_setting() -> int:
    """How often each unlearner is fitted: with the seeds 0, 1, ..."""
    return setting(1, "Fits of each unlearner, with the seeds 0, 1, ...", min=1, group=UNLEARNERS)


def fit_setting() -> Settings:
    """Settings that replace defaults of `FitConfig`."""
    help = "Setting of the fits, NAME=VALUE: max_examples, objectives, ...; repeatable."
    return setting(dict[str, Any](), help, group=UNLEARNERS)


def train_setting() -> Settings:
    """Settings that replace defaults of `TrainConfig`, for all methods that change weights, or for one."""
    help = "Setting of all methods, or of one, NAME=VALUE: epochs=2, npo.epochs=5, ...; repeatable."
    return setting(dict[str, Any](), help, group=UNLEARNERS)


def spul_setting(default: Settings) -> Settings:
    """Settings that replace defaults of `SpulConfig`."""
    help = "Setting of the soft prompt, NAME=VALUE: tokens, alpha, epochs, ...; repeatable."
    return setting(default, help, group=UNLEARNERS)


def settings_of(name: str, settings: Settings) -> dict[str, Any]:
    """Settings for all unlearners, and in their place those for this one."""
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
