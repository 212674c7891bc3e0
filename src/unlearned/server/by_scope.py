"""Settings of single scopes: `VALUE` for all, `SCOPE=VALUE` for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from unlearned.errors import ConfigError

if TYPE_CHECKING:
    from unlearned.artifact.loading import Loaded
    from unlearned.unlearners.eco import ForgetScope

T = TypeVar("T")
Kind = TypeVar("Kind", bound="Loaded")

ByScope = Mapping[str | None, T]
"""A value for each scope, by its name; under None, for all others."""


def read_by_scope(texts: Sequence[str], option: str) -> dict[str | None, str]:
    """What an option that can be given again says for each scope.

    Args:
        texts: as they were given.
        option: its name, for messages.

    Raises:
        ConfigError: something is given twice.
    """
    found: dict[str | None, str] = {}
    for text in texts:
        scope, equals, value = text.rpartition("=")
        add(found, scope if equals else None, value, option)
    return found


def add(found: dict[str | None, str], scope: str | None, value: str, option: str) -> None:
    """Add what an option says of one scope, or of all others; raises `ConfigError` if it said so before."""
    if scope in found:
        raise ConfigError(f"{option} is given twice for {scope or 'all scopes'}. Leave one out.")
    found[scope] = value


def of_scope(values: ByScope[T], scope: str | None) -> T | None:
    """Its own, or that of all others; None = nothing was said."""
    return values.get(scope, values.get(None))


def with_scopes(loaded: Kind, change: Callable[[ForgetScope], ForgetScope]) -> Kind:
    """An artifact with each of its scopes changed; what has none stays as it is."""
    from unlearned.artifact.artifact import Artifact

    if not isinstance(loaded, Artifact):
        return loaded
    return replace(loaded, scopes=tuple(map(change, loaded.scopes)))


def check_no_instruction(artifacts: Sequence[Loaded], option: str) -> None:
    """Raise `ConfigError` where an option would have no effect because an instruction is enforced."""
    from unlearned.unlearners.instruction import Instruction

    if any(isinstance(one, Instruction) for one in artifacts):
        raise ConfigError(f"{option} is about artifacts of scopes, and here an instruction is enforced. Leave it out.")
