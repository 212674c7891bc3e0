"""Make a deployed language model behave as if it had never seen some data, without touching its weights."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearned.api import Answer, Unlearned
    from unlearned.artifact import Artifact, load
    from unlearned.errors import UnlearnedError
    from unlearned.forgetting.run import forget
    from unlearned.learn.config import FitConfig
    from unlearned.learn.fit import fit
    from unlearned.models import ModelOptions, load_model
    from unlearned.types import Verdict

__version__ = "0.1.0"

_PUBLIC = {
    "Answer": "unlearned.api",
    "Artifact": "unlearned.artifact",
    "FitConfig": "unlearned.learn.config",
    "ModelOptions": "unlearned.models",
    "Unlearned": "unlearned.api",
    "UnlearnedError": "unlearned.errors",
    "Verdict": "unlearned.types",
    "fit": "unlearned.learn.fit",
    "forget": "unlearned.forgetting.run",
    "load": "unlearned.artifact",
    "load_model": "unlearned.models",
}

_RENAMED = {"Generation": "Answer"}
"""Old public names."""

__all__ = [
    "Answer",
    "Artifact",
    "FitConfig",
    "ModelOptions",
    "Unlearned",
    "UnlearnedError",
    "Verdict",
    "fit",
    "forget",
    "load",
    "load_model",
]


def __getattr__(name: str) -> Any:
    """Public names are imported on first use: `import unlearned` loads no torch."""
    if name in _RENAMED:
        import warnings

        warnings.warn(
            f"unlearned.{name} is now unlearned.{_RENAMED[name]}; the old name goes with the next minor release.",
            DeprecationWarning,
            stacklevel=2,
        )
        name = _RENAMED[name]
    if name not in _PUBLIC:
        raise AttributeError(f"module 'unlearned' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
