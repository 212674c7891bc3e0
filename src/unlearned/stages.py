"""Old name of `unlearned.types`; it goes with the next minor release."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import warnings

    from unlearned import types

    if name.startswith("_") or not hasattr(types, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "unlearned.stages is now unlearned.types; the old name goes with the next minor release.",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(types, name)
