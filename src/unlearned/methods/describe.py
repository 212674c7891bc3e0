"""A method in plain words and numbers, for lists and documentation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from unlearned.errors import first_line
from unlearned.methods.base import Method
from unlearned.methods.registry import make_method, methods
from unlearned.methods.spul import SpulConfig

SOFT_PROMPT = "spul"


def describe(name: str) -> dict[str, Any]:
    """Name, summary, paper, loss, streams, recipe and default settings of one method.

    Raises:
        UnknownNameError: there is none.
        ConfigError: its package is broken.
    """
    if name == SOFT_PROMPT:
        return _soft_prompt()
    method = make_method(name)
    return {
        "name": name,
        "summary": method.summary,
        "paper": method.paper,
        "loss": method.formula,
        "sees": list(method.sees),
        "recipe": _recipe(method),
        "settings": asdict(method),
    }


def describe_all() -> list[dict[str, Any]]:
    """Every method, by name, and the soft prompt. One that cannot be used has a name and an `error`."""
    return [_described(name) for name in sorted([*methods().names(), SOFT_PROMPT])]


def _described(name: str) -> dict[str, Any]:
    try:
        return describe(name)
    except Exception as error:  # one package's mistake hides no other method
        return {"name": name, "error": first_line(error)}


def _recipe(method: Method) -> dict[str, Any]:
    """What a run takes where nothing is said; steps stand in place of epochs."""
    if not method.trains:
        return {}
    found = {key: value for key, value in asdict(method.recipe).items() if value is not None}
    if "max_steps" in found:
        del found["epochs"]
    return found


def _soft_prompt() -> dict[str, Any]:
    settings = asdict(SpulConfig())
    del settings["form"]
    return {
        "name": SOFT_PROMPT,
        "summary": "soft prompt in front of every prompt; no weight changes",
        "paper": "SPUL, arXiv:2406.12038",
        "loss": "mean NLL(F, generic label) + alpha mean NLL(R) + beta KL(plain || prompted) on R",
        "sees": ["forget", "retain"],
        "recipe": {name: settings.pop(name) for name in ("learning_rate", "epochs", "batch_size", "weight_decay")},
        "settings": settings,
    }
