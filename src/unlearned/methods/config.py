"""How to train: what is the same for all methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from unlearned.errors import ConfigError
from unlearned.methods.base import Recipe, Schedule
from unlearned.methods.data import Form

ADAPTER_LEARNING_RATE = 10.0
"""Times a recipe's learning rate, for an adapter. Recipes are for all weights; low-rank updates need larger steps."""

LARGEST_DEFAULT_BATCH = 4
"""Items per forward pass, where nobody says how many fit."""

LARGEST_SEED = 2**32 - 1
"""That all generators of a training take."""

WITHOUT_EFFECT = {
    "label_smoothing_factor": "the losses are the methods' own",
    "resume_from_checkpoint": "a killed run goes on by itself",
}
"""Arguments of the Trainer that it would take here and not act on, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraSettings:
    """A new LoRA adapter. Defaults: TOFU's."""

    rank: int = 8
    alpha: int = 32
    dropout: float = 0.05
    targets: str = "all-linear"
    """Names of modules, separated by commas; `all-linear` leaves the output head out."""

    def __post_init__(self) -> None:
        if min(self.rank, self.alpha) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError("rank and alpha of an adapter must be at least 1, its dropout in 0..1.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How to train. None takes the method's own recipe."""

    lora: LoraSettings | None = None
    """None trains all weights, unless the model has an adapter already, which is then trained further."""

    learning_rate: float | None = None
    epochs: float | None = None
    max_steps: int | None = None
    """In place of epochs."""

    schedule: Schedule | None = None
    warmup: float | None = None
    """Share of the steps in which the learning rate rises."""

    weight_decay: float | None = None
    batch_size: int | None = None
    """Items per forward pass of one process; a method that sees two sets makes two passes of it. None: 4, or the
    recipe's batch if that is smaller."""

    accumulation: int | None = None
    """Forward passes of one process per optimiser step; None: as many as make up the recipe's batch."""

    max_grad_norm: float = 1.0
    max_tokens: int = 512
    """Of prompt and answer together; longer answers are cut, longer texts go in pieces."""

    form: Form = field(default_factory=Form)
    refusals: tuple[str, ...] = ()
    """Answers to forget prompts that methods with refusals learn, drawn anew in every epoch; empty: packaged ones."""

    gradient_checkpointing: bool = False
    seed: int = 0
    save_steps: int | None = None
    """Steps between checkpoints; None: one per epoch, and of a run that ends by `max_steps` at least ten."""

    logging_steps: int = 1
    report_to: str = "none"
    """Where the Trainer reports: tensorboard, wandb, ...; several separated by commas."""

    device: Literal["auto", "cpu"] = "auto"
    trainer: Mapping[str, Any] = field(default_factory=dict)
    """More arguments of `transformers.TrainingArguments`, such as `fsdp` or `deepspeed`."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulation", "max_steps", "save_steps", "logging_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value}: must be at least 1.")
        for name in ("learning_rate", "epochs"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name}={value}: must be above 0.")
        if self.warmup is not None and not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup={self.warmup}: a share of the steps lies in 0..1. Use, for example, 0.1.")
        if self.max_tokens < 8:
            raise ConfigError(f"max_tokens={self.max_tokens}: too short for a question and its answer.")
        for name, value in (("weight_decay", self.weight_decay), ("max_grad_norm", self.max_grad_norm)):
            if value is not None and not 0 <= value < math.inf:
                raise ConfigError(f"{name}={value}: must be at least 0.")
        if self.schedule is not None and self.schedule not in get_args(Schedule):
            raise ConfigError(f"schedule={self.schedule!r}: must be one of {', '.join(get_args(Schedule))}.")
        if self.device not in ("auto", "cpu"):
            raise ConfigError(f"device={self.device!r}: must be 'auto' or 'cpu'.")
        check_seed(self.seed)
        if isinstance(self.refusals, str) or not all(line.strip() for line in self.refusals):
            raise ConfigError('refusals must be a list of texts, none of them empty, such as ["neutral", "unknown"].')
        for name, reason in WITHOUT_EFFECT.items():
            if self.trainer.get(name):
                raise ConfigError(f"The Trainer's argument {name!r} has no effect here: {reason}. Leave it out.")
        if self.trainer.get("dataloader_persistent_workers"):
            raise ConfigError(
                "The Trainer's argument 'dataloader_persistent_workers' would keep the pairs of the first epoch for "
                "all others. Leave it out; dataloader_num_workers alone is fine."
            )

    def filled(self, recipe: Recipe, *, adapter: bool, processes: int = 1) -> TrainConfig:
        """With the recipe's values where nothing was said; its batch is that of all processes together."""
        rate = recipe.learning_rate * (ADAPTER_LEARNING_RATE if adapter else 1)
        steps = self.max_steps if self.max_steps is not None or self.epochs is not None else recipe.max_steps
        share = max(1, recipe.batch_size // processes)
        batch_size = self.batch_size or min(LARGEST_DEFAULT_BATCH, share)
        return replace(
            self,
            learning_rate=self.learning_rate if self.learning_rate is not None else rate,
            epochs=self.epochs if self.epochs is not None else recipe.epochs,
            max_steps=steps,
            schedule=self.schedule or recipe.schedule,
            warmup=self.warmup if self.warmup is not None else recipe.warmup,
            weight_decay=self.weight_decay if self.weight_decay is not None else recipe.weight_decay,
            batch_size=batch_size,
            accumulation=self.accumulation or max(1, share // batch_size),
        )


def check_seed(seed: int) -> None:
    """Raise `ConfigError` unless all generators take this seed."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"seed={seed}: must lie in 0..{LARGEST_SEED}.")
