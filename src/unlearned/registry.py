"""One small registry for every kind of part: corruptions, classifiers, selectors, engines."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Generic, TypeVar, cast

from unlearned.errors import ConfigError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to parts. A target may be given as `"module:attribute"`; it is imported on first use."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._targets: dict[str, T | str] = {}

    def register(self, name: str, target: T | str) -> None:
        """Add `target` under `name`; a name that is taken is refused with `ConfigError`."""
        if name in self._targets:
            raise ConfigError(f"The {self.kind} {name!r} is registered already. Choose another name.")
        self._targets[name] = target

    def names(self) -> list[str]:
        return sorted(self._targets)

    def get(self, name: str) -> T:
        """The part called `name`; raises `UnknownNameError` with the nearest known names."""
        if name not in self._targets:
            close = difflib.get_close_matches(name, self._targets, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise UnknownNameError(f"Unknown {self.kind} {name!r}.{hint} Known: {', '.join(self.names())}.")
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = cast(T, getattr(import_module(module), attribute))
            self._targets[name] = target
        return target
