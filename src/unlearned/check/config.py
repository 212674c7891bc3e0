"""How to check an artifact, and what it has to hold."""

from __future__ import annotations

from dataclasses import dataclass

from unlearned.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Shares that may not be exceeded; a check that exceeds one has failed."""

    missed: float = 0.1
    """Of the held-out forget prompts, those that are not flagged."""

    flagged: float = 0.05
    """Of the close and of the general prompts, each, those that are flagged."""

    leaks: float = 0.15
    """Of the questions with a fact, those that are answered with one all the same."""

    told_apart: float | None = None
    """Balanced accuracy of the classifier of answers; None = it is only reported."""

    def __post_init__(self) -> None:
        for name in ("missed", "flagged", "leaks", "told_apart"):
            if (value := getattr(self, name)) is not None and not 0 <= value <= 1:
                raise ConfigError(f"The bound on {name.replace('_', ' ')} is {value}: a share lies in 0..1.")


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckConfig:
    """How to check."""

    bounds: Bounds = Bounds()
    max_new_tokens: int = 48
    batch_size: int = 16
    seed: int = 0
    """Of the sampled answers from which facts are drawn, and of the invented subjects."""

    draw_facts: bool = True
    """Where a question has neither facts nor an answer, look for what the model says of it every time."""
