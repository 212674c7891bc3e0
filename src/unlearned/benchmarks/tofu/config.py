"""What a run of TOFU can be told. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from unlearned.benchmarks.settings import fit_setting, seeds_setting, spul_setting, train_setting, unlearners_setting
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, TRAINING, UNLEARNERS, check_bounds, setting

if TYPE_CHECKING:
    from unlearned.metrics.truth_ratio import Mean
    from unlearned.metrics.utility import Method

HUB = "locuslab/TOFU"

CEILING_OF = "eco-es"
"""The unlearner whose ceiling can be measured."""

Split = Literal["forget01", "forget05", "forget10"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, kw_only=True, slots=True)
class TofuSplit:
    """Which questions."""

    split: Split = setting("forget01", "forget01, forget05 or forget10.", group=DATA)
    authors: int | None = setting(
        None, "Only the last so many authors exist; 20 fit a small machine. Default: all.", min=2, group=DATA
    )
    forget_authors: int | None = setting(
        None, "Forget the last so many, instead of the split's number.", min=1, group=DATA
    )
    limit: int | None = setting(
        None,
        "Most rows of every set, to try it out; the numbers then only show that everything runs.",
        min=2,
        group=DATA,
    )

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ConfigError(f"split={self.split!r}: must be one of {', '.join(SPLITS)}.")
        for name in ("authors", "forget_authors"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value}: must be at least 1.")
        if self.limit is not None and self.limit < 2:
            raise ConfigError(f"limit={self.limit}: must be at least 2.")


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetuneConfig:
    """How to train. All of it is part of the cache's key."""

    epochs: int = setting(8, "Of the fine-tuning on the task.", min=1, group=TRAINING)
    batch_size: int = setting(16, "Of the fine-tuning on the task.", min=1, group=TRAINING)
    learning_rate: float = setting(
        1e-3, "Of the fine-tuning on the task, at the start; falls linearly to 0.", group=TRAINING
    )

    weight_decay: float = 0.01
    """Weight decay as TOFU has it; of the adapter's weights, since the model's own do not move."""

    rank: int = 32
    alpha: int = 64
    max_tokens: int = 500
    """Longer texts are cut, and then have no end token to learn."""

    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.rank, self.alpha, self.max_tokens) < 1:
            raise ConfigError("epochs, batch_size, rank, alpha and max_tokens must be at least 1.")
        if not (0 < self.learning_rate < math.inf and 0 <= self.weight_decay < math.inf):
            raise ConfigError("learning_rate must be above 0, weight_decay at least 0.")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationConfig:
    """What is measured of a model."""

    ds_size: int | None = setting(
        300, "Rows of each set that are asked, the first ones; in Python None = all.", min=1, group=ANSWERS
    )

    max_new_tokens: int = 200
    """Longest answer. Published TOFU runs stop at 200 tokens with the prompt, open-unlearning after 200 new ones."""

    batch_size: int = 64
    """Answers that are generated together."""

    recheck: int = 16
    """How many of the rows that an unlearner leaves unchanged are computed anew nevertheless, per set."""

    pairs: int = 40
    """Paired prompts, each in both orders."""

    seed: int = 0
    """Seed that chooses the rows that are computed anew."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if min(self.max_new_tokens, self.batch_size, self.pairs) < 1 or self.recheck < 0:
            raise ConfigError("max_new_tokens, batch_size and pairs must be at least 1, recheck at least 0.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TofuRunConfig:
    """One run."""

    data: str = setting(HUB, "Folder with tofu/*.jsonl, or locuslab/TOFU.", group=DATA)

    model: ModelOptions = field(default_factory=ModelOptions)
    split: TofuSplit = field(default_factory=TofuSplit)
    unlearners: tuple[str, ...] = unlearners_setting(("none", "eco-rn", "eco-zo", "prompting"))
    seeds: int = seeds_setting()
    adapters: tuple[str, ...] | None = setting(
        None,
        "START,RETAINED: folders of PEFT adapters, instead of training; with --ceiling a third, of a second retained "
        "model.",
        group=TRAINING,
    )
    ceiling: bool = setting(
        False,
        "Also a second retained model (another seed and order of the same rows), and the first one under the strangers "
        "of eco-es: no unlearner can be expected to come closer.",
        group=UNLEARNERS,
    )

    training: FinetuneConfig = field(default_factory=FinetuneConfig)
    fit: Mapping[str, Any] = fit_setting()
    train: Mapping[str, Any] = train_setting()
    spul: Mapping[str, Any] = spul_setting({})

    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    speed_questions: int = 10
    """Forget questions that are also scored the naive way, in float32, for the speed; 0 = leave it out."""

    def __post_init__(self) -> None:
        from unlearned.benchmarks.systems import check_systems

        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train, spul=self.spul)
        if self.ceiling and CEILING_OF not in self.unlearners:
            raise ConfigError(f"The ceiling is that of {CEILING_OF}. Name it among the unlearners.")
        if self.adapters is not None and len(self.adapters) != 2 + self.ceiling:
            raise ConfigError(
                "Give the adapters of the start and the retained model; with a ceiling, a second of these."
            )
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark, which trains its own. Give both as --adapters.")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TofuRunConfig:
        """The config of a `results.json`."""
        nested = {"model": ModelOptions, "split": TofuSplit, "training": FinetuneConfig, "evaluation": EvaluationConfig}
        values: dict[str, Any] = {name: nested[name](**v) if name in nested else v for name, v in data.items()}
        values["unlearners"] = tuple(values["unlearners"])
        values["adapters"] = None if values["adapters"] is None else tuple(values["adapters"])
        return cls(**values)


def _draws() -> int:
    from unlearned.metrics.estimate import DRAWS

    return DRAWS


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreConfig:
    """How to compute them; the defaults are those of the published numbers."""

    mean: Mean = setting(
        "geometric",
        "Over the wrong answers' probabilities: geometric as the evaluation code has it, or arithmetic as the paper's "
        "text does.",
    )
    fold: bool = setting(
        False, "Test min(R, 1/R) instead of R, as ECO's script does; only to compare with its numbers."
    )

    method: Method = "auto"
    """How the p-value is computed."""

    ds_size: int | None = setting(300, "Rows of each set that count, the first ones; in Python None = all.", min=1)
    draws: int = field(default_factory=_draws)
    """Bootstrap samples behind the error of the model utility."""

    seed: int = 0

    def __post_init__(self) -> None:
        from unlearned.metrics.truth_ratio import Mean
        from unlearned.metrics.utility import Method

        for name, value, known in (("mean", self.mean, get_args(Mean)), ("method", self.method, get_args(Method))):
            if value not in known:
                raise ConfigError(f"{name}={value!r}: must be one of {', '.join(known)}.")
        check_bounds(self)
