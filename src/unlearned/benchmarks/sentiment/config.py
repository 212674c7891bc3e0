"""What a run of the sentiment benchmark can be told. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from unlearned.benchmarks.settings import (
    fit_setting,
    seeds_setting,
    spul_setting,
    train_setting,
    unlearners_setting,
)
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import DATA, check_bounds, setting

Name = Literal["sst2", "yelp"]
NAMES: tuple[Name, ...] = get_args(Name)
DEFAULT = ("spul", "eco", "ga", "gd")
TRAINING: Mapping[str, Any] = {"epochs": 3, "learning_rate": 3e-4}
"""Fine-tuning on the task, in place of TOFU's settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentSplit:
    """Which reviews."""

    dataset: Name = setting("sst2", "sst2 or yelp.", group=DATA)
    share: float | None = setting(
        None, "Of the training rows to forget, where the sets are made; default: about as published.", group=DATA
    )
    clusters: int = setting(20, "Of Yelp's texts; the published number is not known.", min=2, group=DATA)
    tagger: str | None = setting(
        None, "Token classifier that finds people in SST-2; default: a list of given names.", group=DATA
    )
    fraction: float = setting(
        1.0,
        "Share of the forget rows that is trained with, at random: SPUL's ablation has 0.25, 0.5 and 1.",
        group=DATA,
    )
    forget_rows: int | None = setting(
        None, "Most training rows to forget, drawn at random; default: all.", min=1, group=DATA
    )
    retain_rows: int | None = setting(
        None, "Most training rows to retain, drawn at random; default: all.", min=1, group=DATA
    )
    test_rows: int | None = setting(None, "Most rows of each test set; default: all.", min=1, group=DATA)
    seed: int = setting(0, "Of everything that is chosen and drawn.", flag="--data-seed", group=DATA)

    def __post_init__(self) -> None:
        if self.dataset not in NAMES:
            raise ConfigError(f"dataset={self.dataset!r}: must be one of {', '.join(NAMES)}.")
        if self.share is not None and not 0 < self.share < 1:
            raise ConfigError(f"share={self.share}: must be above 0 and below 1.")
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction={self.fraction}: must be above 0 and at most 1.")
        check_bounds(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentRunConfig:
    """One run."""

    data: str | None = setting(
        None,
        "Folder with train_forget, train_retain, test_forget and test_retain, or with train and one of dev, validation "
        "and test, of which the sets are made (.jsonl, .json, .csv); or a hub name. Default: the published splits on "
        "the hub.",
        group=DATA,
    )

    model: ModelOptions = field(default_factory=ModelOptions)
    split: SentimentSplit = field(default_factory=SentimentSplit)
    unlearners: tuple[str, ...] = unlearners_setting(DEFAULT)
    seeds: int = seeds_setting()
    max_tokens: int = setting(1024, "Of prompt and label; longer reviews are cut.", min=32, group=DATA)
    training: FinetuneConfig = field(default_factory=lambda: FinetuneConfig(**TRAINING))
    """Training of the start and the retained model."""

    fit: Mapping[str, Any] = fit_setting()

    train: Mapping[str, Any] = train_setting()
    spul: Mapping[str, Any] = spul_setting({"alpha": 1.0})  # the paper's, of its headline rows

    def __post_init__(self) -> None:
        from unlearned.benchmarks.systems import check_systems

        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train, spul=self.spul)
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark, which trains its own start model.")
