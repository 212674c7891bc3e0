"""Optional dependencies are imported where they are used, through `require`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from unlearned.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency where it is used, or say which extra brings it.

    Raises:
        MissingExtraError: `module` is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise  # installed but broken: its own message is the useful one
        raise MissingExtraError(
            f"{purpose} needs {module!r}. Run: pip install 'unlearned[{extra}]' (in a clone: '.[{extra}]')"
        ) from error
