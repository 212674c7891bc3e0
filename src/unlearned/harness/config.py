"""What a run of lm-evaluation-harness can be told. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, ENFORCED, OUTPUT, REQUIRED, check_bounds, setting

if TYPE_CHECKING:
    from unlearned.benchmarks.results import Shard


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig:
    """One run."""

    tasks: tuple[str, ...] = setting(
        REQUIRED,
        "Tasks and groups of lm-evaluation-harness, separated by commas; 'general' for the eleven of the ECO paper.",
        flag="--tasks -t",
        group=DATA,
    )

    model: ModelOptions = field(default_factory=ModelOptions)
    artifacts: tuple[Path, ...] = ()
    plain: bool = setting(
        False,
        "Evaluate the original model, too, and compare; without artifacts it is the only one.",
        group=ENFORCED,
    )
    include_path: Path | None = setting(None, "Folder with tasks of your own.", group=DATA)
    limit: int | None = setting(None, "Questions of each task, the first ones; default: all.", min=1, group=DATA)
    batch_size: int = setting(16, "Prompts per forward pass.", min=1, group=ANSWERS)
    num_fewshot: int | None = setting(None, "Examples per context; default: the task's.", min=0, group=ANSWERS)
    apply_chat_template: bool = setting(False, "Ask in the model's chat format.", group=ANSWERS)
    shard: Shard | None = None
    """Only this part of every task's questions."""

    verdicts: Path | None = setting(
        None,
        "Folder of verdicts that runs with other tasks or strengths share; default: verdicts/ in --out.",
        group=OUTPUT,
    )

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ConfigError("No tasks are named. Give some, for example --tasks general.")
        if self.num_fewshot is not None and self.num_fewshot < 0:
            raise ConfigError(f"num_fewshot={self.num_fewshot}: must not be negative.")
        check_bounds(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks, aliases written out, each once."""
        from unlearned.harness.tasks import ALIASES

        return tuple(dict.fromkeys(name for task in self.tasks for name in ALIASES.get(task, (task,))))
