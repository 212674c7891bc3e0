"""What a run of the copyright benchmarks can be told. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from unlearned.benchmarks.copyright.passages import MAX_TOKENS
from unlearned.benchmarks.settings import fit_setting, seeds_setting, train_setting, unlearners_setting
from unlearned.errors import ConfigError
from unlearned.methods.config import LoraSettings, TrainConfig
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, TRAINING, check_bounds, setting

if TYPE_CHECKING:
    from unlearned.benchmarks.copyright.similarity import Kind

DEFAULT = ("none", "prompting", "eco-rn", "eco-zo")
OTHER_ROWS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StartConfig:
    """How to train; None takes what suits the machine."""

    adapter: bool | None = setting(
        None,
        "How the start model is trained: a LoRA adapter, which two CPU cores can train, or all weights, as in the "
        "paper. Default: all weights on accelerators.",
        flag="--lora/--all-weights",
        group=TRAINING,
    )
    epochs: float | None = setting(
        None, "Of the start model; default: 5 (the paper's), with --lora 12.", group=TRAINING
    )
    learning_rate: float | None = setting(
        None, "Of the start model; default: 2e-5 (the paper's), with --lora 1e-3.", group=TRAINING
    )

    batch_size: int | None = None
    """None: 8 for all weights (the paper's), 4 for an adapter."""

    rank: int = 32
    alpha: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("learning_rate", self.learning_rate)):
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name}={value:g}: must be above 0. Leave it out for the default.")
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError(f"batch_size={self.batch_size}: must be at least 1.")

    def filled(self) -> StartConfig:
        """The settings with every value given."""
        import torch

        adapter = not torch.accelerator.is_available() if self.adapter is None else self.adapter
        epochs, rate, batch = (12.0, 1e-3, 4) if adapter else (5.0, 2e-5, 8)
        return replace(
            self,
            adapter=adapter,
            epochs=epochs if self.epochs is None else self.epochs,
            learning_rate=rate if self.learning_rate is None else self.learning_rate,
            batch_size=batch if self.batch_size is None else self.batch_size,
        )

    def train_config(self, max_tokens: int, device: str | None) -> TrainConfig:
        """The paper's schedule: cosine after a warm-up of a tenth, weight decay 0.01."""
        full = self.filled()
        adapter = LoraSettings(rank=full.rank, alpha=full.alpha, dropout=0.0)
        return TrainConfig(
            lora=adapter if full.adapter else None,
            learning_rate=full.learning_rate,
            epochs=full.epochs,
            schedule="cosine",
            warmup=0.1,
            weight_decay=0.01,
            batch_size=min(full.batch_size or 4, 4),
            accumulation=max(1, (full.batch_size or 4) // 4),
            max_tokens=max_tokens,
            seed=full.seed,
            device="cpu" if device == "cpu" else "auto",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyrightEvaluationConfig:
    """How models are asked."""

    max_new_tokens: int = setting(256, "Longest continuation that is generated.", min=1, group=ANSWERS)
    similarities: Kind = setting(
        "packaged",
        "packaged, or published: METEOR with WordNet and distilbert-base-uncased, which are downloaded.",
        group=ANSWERS,
    )
    batch_size: int = 16

    def __post_init__(self) -> None:
        if min(self.max_new_tokens, self.batch_size) < 1:
            raise ConfigError("max_new_tokens and batch_size must be at least 1.")
        from unlearned.benchmarks.copyright.similarity import KINDS

        if self.similarities not in KINDS:
            raise ConfigError(f"similarities={self.similarities!r}: must be one of {', '.join(KINDS)}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyrightRunConfig:
    """One run."""

    task: Literal["news", "book"]
    forget: str | None = None
    """Book: a text file; None = a packaged story. News: a hub name, file or folder; None = the paper's."""

    other: str | None = None
    """What stays, of the same kind; None = packaged stories, or the paper's news."""

    leave_out: tuple[str, ...] = setting(
        (),
        "Title of a book of the other data that does not stay, such as the one to forget; repeatable.",
        several=True,
        group=DATA,
    )
    other_rows: int = setting(
        OTHER_ROWS, "How many of the other news stay, and how many are held out.", min=1, group=DATA
    )
    negatives: float = setting(
        1.0, "Share of the retained sentences that the detector is fitted with; 0.1 for very many.", group=DATA
    )
    limit: int | None = setting(None, "Most passages of every set, to try it out.", min=2, group=DATA)
    max_tokens: int = setting(
        MAX_TOKENS, "Of a passage and its end token; of news, without the title.", min=8, group=DATA
    )

    model: ModelOptions = field(default_factory=ModelOptions)
    training: StartConfig = field(default_factory=StartConfig)
    unlearners: tuple[str, ...] = unlearners_setting(DEFAULT)
    seeds: int = seeds_setting()
    fit: Mapping[str, Any] = fit_setting()
    train: Mapping[str, Any] = train_setting()

    evaluation: CopyrightEvaluationConfig = field(default_factory=CopyrightEvaluationConfig)

    def __post_init__(self) -> None:
        from unlearned.benchmarks.systems import check_systems

        if self.task not in ("news", "book"):
            raise ConfigError(f"task={self.task!r}: must be 'news' or 'book'.")
        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train)
        check_bounds(self)
        if self.leave_out and self.task != "book":
            raise ConfigError("leave_out is for books: news have no titles of books.")
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark, which trains its own start model.")
