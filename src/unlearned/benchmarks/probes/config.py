"""What a run of the probes can be told. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, MODEL, REQUIRED, check_bounds, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeConfig:
    """How the probe is fitted."""

    folds: int = setting(
        5, "Parts of the questions, each asked of a probe that was fitted with the others.", min=2, group=ANSWERS
    )

    c: float = 1.0
    """Inverse strength of the regularisation, scikit-learn's default, for standardised features."""

    seed: int = setting(0, "Of how questions are parted, and of the other facts.", group=ANSWERS)

    def __post_init__(self) -> None:
        check_bounds(self)
        if not self.c > 0:
            raise ConfigError(f"c={self.c}: must be above 0.")


@dataclass(frozen=True, kw_only=True, slots=True)
class AskConfig:
    """How models are asked."""

    probe: ProbeConfig = field(default_factory=ProbeConfig)
    chat: bool | None = None
    """Whether prompts stand in the chat template; None: if there is one."""

    facts: int = setting(
        4,
        "Facts told in a prompt of the relearning test, that of the question among them.",
        min=1,
        group=ANSWERS,
    )
    max_new_tokens: int = setting(64, "Longest answer; a repeated question may be longer.", min=1, group=ANSWERS)
    batch_size: int = setting(8, "Prompts per forward pass.", min=1, group=ANSWERS)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbesConfig:
    """One run."""

    data: str = setting(
        REQUIRED,
        "File, folder or OWNER/NAME: question, answer, choices or wrong_answers, label, fact.",
        group=DATA,
    )

    artifacts: tuple[Path, ...]
    """Each is looked at by itself."""

    model: ModelOptions = field(default_factory=ModelOptions)
    retained_adapter: str | None = setting(
        None, "PEFT adapter that makes the retained model of the same base, to compare with.", group=MODEL
    )
    split: str | None = setting(None, "Of a folder or the hub; default: test, else train.", group=DATA)
    where: Mapping[str, str] = field(default_factory=dict)
    """Column -> value: only rows that have it."""

    limit: int | None = setting(200, "Most questions, evenly spread; in Python None = all.", min=2, group=DATA)

    ask: AskConfig = field(default_factory=AskConfig)

    def __post_init__(self) -> None:
        from unlearned.benchmarks.benchmark import RETAINED, START

        if not self.artifacts:
            raise ConfigError("Give at least one artifact with --artifact.")
        if len({path.name for path in self.artifacts}) < len(self.artifacts):
            raise ConfigError("Two artifacts' folders have the same name, which their results would share.")
        if reserved := {START, RETAINED} & {path.name for path in self.artifacts}:
            raise ConfigError(f"An artifact's folder may not be named {min(reserved)!r} here.")
