"""What vLLM calls in each of its processes (entry point `vllm.general_plugins`)."""

from __future__ import annotations

from functools import wraps
from typing import Any

from unlearned.errors import ConfigError
from unlearned.vllm.hooks import unsupported
from unlearned.vllm.settings import KEY, Settings

_installed = False


def install() -> None:
    """Wrap every place, once per process.

    Raises:
        ConfigError: this vLLM cannot be protected, and it is asked for.
    """
    global _installed
    if _installed:
        return
    _installed = True
    if problem := unsupported():
        _refuse_when_asked(problem)
        return
    from unlearned.vllm import core, flags, front, outputs, restoring  # they import vLLM

    for module in (flags, front, outputs, restoring, core):
        module.install()


def _refuse_when_asked(problem: str) -> None:
    """Whoever uses this vLLM without artifacts is left alone."""
    message = f"The prompts of this vLLM cannot be checked: {problem}. Use --engine transformers or another release."
    if Settings.from_environment() is not None:
        raise ConfigError(message)
    from vllm.config import VllmConfig

    start = VllmConfig.__post_init__

    @wraps(start)
    def refusing(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (getattr(self, "additional_config", None) or {}).get(KEY) or Settings.from_environment() is not None:
            raise ConfigError(message)
        return start(self, *args, **kwargs)

    VllmConfig.__post_init__ = refusing
