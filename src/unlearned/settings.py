"""A setting is described once, in the field of its configuration; the command line takes everything from there.

    @dataclass(frozen=True, kw_only=True)
    class FitConfig:
        max_fpr: float = setting(0.005, "Bound on false alarms among general prompts.", min=0, max=1, group=DETECTION)

A field without `setting` is for Python alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, cast

from unlearned.errors import ConfigError

Value = TypeVar("Value")

REQUIRED: Any = MISSING
"""In place of a default: the setting must be given."""

KEY = "setting"
"""Key in a field's metadata."""

DATA, MODEL, DETECTION, CORRUPTION = "Data", "Model", "Detection", "Corruption and its strength"
TRAINING, ADAPTER, UNLEARNERS, ENFORCED = "Training", "A new adapter", "Unlearners", "What is enforced"
ANSWERS, OUTPUT, SERVER, LIMITS = "Answers", "Output", "Server", "Limits"
BOUNDS, RECORD = "Bounds (exit status 1 beyond them)", "Record"
"""Groups of options in the help."""

GROUPS = (
    *(DATA, ENFORCED, MODEL, DETECTION, CORRUPTION, TRAINING, ADAPTER, UNLEARNERS, ANSWERS, SERVER, LIMITS),
    *(BOUNDS, RECORD, OUTPUT),
)
"""In the order in which the help has them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is known of a field beside its name, type and default."""

    help: str
    """One or two sentences, for `--help`."""

    flag: str = ""
    """Name on the command line; empty: the field's name with dashes. A short form follows after a space."""

    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()
    """Names that the command line takes, known without importing what they name; a number is taken, too, where the
    type has one."""

    noun: str = ""
    """What an error calls one of these names."""

    several: bool = False
    """Whether a tuple's option is given once for each value; otherwise they are one text, separated by commas."""

    group: str | None = None
    """Group under which `--help` lists it."""


def setting(
    default: Value,
    help: str,
    *,
    flag: str = "",
    min: float | None = None,
    max: float | None = None,
    choices: tuple[str, ...] = (),
    noun: str = "",
    several: bool = False,
    group: str | None = None,
) -> Value:
    """A field of a configuration that is an option of the command line, too; see `Setting` for the arguments."""
    known = Setting(help=help, flag=flag, min=min, max=max, choices=choices, noun=noun, several=several, group=group)
    if isinstance(default, Mapping):
        return cast(Value, field(default_factory=lambda: dict(default), metadata={KEY: known}))
    return field(default=default, metadata={KEY: known})


def settings_of(config: type[Any]) -> dict[str, Setting]:
    """The fields that are options, by name."""
    return {one.name: one.metadata[KEY] for one in fields(config) if KEY in one.metadata}


def check_bounds(config: Any) -> None:
    """Raise `ConfigError` if a number is below the least or above the largest value of its setting."""
    for name, known in settings_of(type(config)).items():
        value = getattr(config, name)
        if value is None or (known.min is None and known.max is None):
            continue
        low, high = known.min, known.max
        if low is not None and value < low:
            raise ConfigError(f"{name}={value}: must be at least {low:g}.")
        if high is not None and value > high:
            raise ConfigError(f"{name}={value}: must be at most {high:g}.")
