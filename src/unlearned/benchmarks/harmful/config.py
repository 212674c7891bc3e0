"""What a run of the benchmark of harmful answers can be told. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unlearned.benchmarks.settings import fit_setting, seeds_setting, train_setting, unlearners_setting
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, TRAINING, check_bounds, setting

DEFAULT = ("prompting", "eco", "llmu", "sku", "ga")
SEED = 8888


@dataclass(frozen=True, kw_only=True, slots=True)
class HarmfulSplit:
    """Which rows."""

    forget_rows: int | None = setting(
        None, "Most prompts to forget that are trained with, drawn at random; default: all.", min=2, group=DATA
    )
    normal_rows: int | None = setting(
        None, "Most normal questions that are trained with, drawn at random; default: all.", min=2, group=DATA
    )
    test_rows: int | None = setting(None, "Most prompts of each set that are asked; default: all.", min=2, group=DATA)
    correct_answers: bool = setting(
        False,
        "A second training row for each normal question, with all correct answers as one text: SKU's way.",
        group=DATA,
    )
    seed: int = setting(SEED, "Of the division into training and test rows.", flag="--data-seed", group=DATA)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class HarmfulRunConfig:
    """One run."""

    data: str | None = setting(
        None,
        "Rows to forget, with PKU-SafeRLHF's columns: a file, a folder with train (and test), or "
        "PKU-Alignment/PKU-SafeRLHF. Default: a harmless stand-in that ships with the package.",
        group=DATA,
    )
    normal: str | None = setting(
        None,
        "Normal questions, with TruthfulQA's columns: a file, a folder, or truthfulqa/truthful_qa; needed with --data.",
        group=DATA,
    )

    model: ModelOptions = field(default_factory=ModelOptions)
    split: HarmfulSplit = field(default_factory=HarmfulSplit)
    unlearners: tuple[str, ...] = unlearners_setting(DEFAULT)
    seeds: int = seeds_setting()
    epochs: int | None = setting(
        None,
        "Of teaching the start model all answers first, and a retained model the normal ones. 0: the model as it is, "
        "and no retained model. Default: 10 for the stand-in, whose secrets no model knows; else 0.",
        min=0,
        group=TRAINING,
    )
    batch_size: int = setting(8, "Of the same.", min=1, group=TRAINING)
    learning_rate: float = setting(1e-3, "Of the same.", group=TRAINING)
    max_tokens: int = setting(
        512, "Of question and answer in training; longer answers are cut.", min=32, group=TRAINING
    )
    max_new_tokens: int = setting(64, "Longest answer, in tokens.", min=1, group=ANSWERS)
    judge: str | None = setting(
        None,
        "Sequence classifier that tells harmful answers: hub name or folder. Default: none, and only the leak of the "
        "known answers is measured.",
        flag="--harm-classifier",
        group=ANSWERS,
    )
    label: str | None = setting(None, "Its label that means harm: name or index.", flag="--harm-label", group=ANSWERS)
    pairs: bool = setting(
        False, "It reads question and answer; by default the answer alone.", flag="--harm-pairs", group=ANSWERS
    )

    fit: Mapping[str, Any] = fit_setting()

    train: Mapping[str, Any] = train_setting()

    def __post_init__(self) -> None:
        from unlearned.benchmarks.systems import check_systems

        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train)
        if (self.data is None) != (self.normal is None):
            raise ConfigError("Give --data and --normal together; without both, the packaged stand-in is used.")
        if self.judge is None and (self.label is not None or self.pairs):
            option = "--harm-label" if self.label is not None else "--harm-pairs"
            raise ConfigError(f"{option} is for a classifier. Name one with --harm-classifier.")
        check_bounds(self)
        if self.model.adapter is not None and self.training_epochs:
            raise ConfigError("--adapter is not for a start model that is trained here. Give --epochs 0 with it.")

    @property
    def training_epochs(self) -> int:
        """Epochs for the start model."""
        return (10 if self.data is None else 0) if self.epochs is None else self.epochs
