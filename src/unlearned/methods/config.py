"""How to train: what is the same for all methods. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from unlearned.errors import ConfigError
from unlearned.settings import ADAPTER, TRAINING, setting

if TYPE_CHECKING:
    from unlearned.methods.base import Recipe

Schedule = Literal["linear", "cosine", "constant"]

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

    rank: int = setting(8, "Rank of the adapter.", flag="--lora-rank", min=1, group=ADAPTER)
    alpha: int = setting(32, "Its scale, times the rank.", flag="--lora-alpha", min=1, group=ADAPTER)
    dropout: float = setting(0.05, "Dropout before the adapter.", flag="--lora-dropout", min=0, max=0.99, group=ADAPTER)
    targets: str = setting(
        "all-linear",
        "Modules, separated by commas; all-linear leaves the output head out.",
        flag="--lora-targets",
        group=ADAPTER,
    )

    def __post_init__(self) -> None:
        if min(self.rank, self.alpha) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError("rank and alpha of an adapter must be at least 1, its dropout in 0..1.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How rows are written for a model. `{prompt}` and `{answer}` stand for the columns.

    Under a chat template the prompt is a user's message and the answer stands alone. Without one, this is TOFU's form.
    """

    prompt: str = "Question: {prompt}\n"
    answer: str = "Answer: {answer}"
    chat: bool | None = setting(
        None,
        "Use the chat template, and not the form of questions and answers; default: if there is one.",
        group=TRAINING,
    )

    end: bool = True
    """Whether the target ends with an end token."""

    def __post_init__(self) -> None:
        if "{prompt}" not in self.prompt or "{answer}" not in self.answer:
            raise ConfigError("The form of the prompt must hold {prompt}, and that of the answer {answer}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How to train. None takes the method's own recipe."""

    lora: LoraSettings | None = None
    """None trains all weights, unless the model has an adapter already, which is then trained further."""

    learning_rate: float | None = setting(None, "Default: the method's; ten times that for an adapter.", group=TRAINING)
    epochs: float | None = setting(None, "Passes over the forget set; default: the method's.", group=TRAINING)
    max_steps: int | None = setting(None, "Optimiser steps, in place of epochs.", min=1, group=TRAINING)
    schedule: Schedule | None = setting(None, "linear, cosine or constant; default: the method's.", group=TRAINING)
    warmup: float | None = setting(
        None, "Share of the steps in which the learning rate rises; default: the method's.", group=TRAINING
    )
    weight_decay: float | None = setting(None, "Default: the method's.", group=TRAINING)
    batch_size: int | None = setting(
        None,
        "Items per forward pass of one process; a method that sees two sets makes two passes of it. Default: 4, or the "
        "method's batch if that is smaller.",
        min=1,
        group=TRAINING,
    )
    accumulation: int | None = setting(
        None,
        "Forward passes of one process per optimiser step; default: as many as make up the method's batch.",
        min=1,
        group=TRAINING,
    )
    max_grad_norm: float = 1.0
    max_tokens: int = setting(
        512,
        "Longest prompt with its answer; longer answers are cut, longer texts go in pieces.",
        min=8,
        group=TRAINING,
    )
    form: Form = field(default_factory=Form)
    refusals: tuple[str, ...] = setting(
        (),
        "What methods with refusals learn to answer, drawn anew in every epoch; can be given again. Default: packaged "
        "ones.",
        flag="--refusal",
        several=True,
        group=TRAINING,
    )
    gradient_checkpointing: bool = setting(False, "Less memory, a third more time.", group=TRAINING)
    seed: int = setting(0, "The same seed gives the same weights on the same machine.", group=TRAINING)
    save_steps: int | None = setting(
        None, "Steps between checkpoints; default: an epoch, or a tenth of --max-steps.", min=1, group=TRAINING
    )
    logging_steps: int = 1
    report_to: str = setting("none", "tensorboard, wandb, ...; several separated by commas.", group=TRAINING)
    device: Literal["auto", "cpu"] = "auto"
    trainer: Mapping[str, Any] = setting(
        {}, "NAME=VALUE of transformers.TrainingArguments, such as fsdp=full_shard; repeatable.", group=TRAINING
    )

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
