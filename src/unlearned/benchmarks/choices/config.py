"""What one run of `bench mmlu` or `bench wmdp` is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from unlearned.benchmarks.choices.data import DOMAINS, MMLU, WMDP, ChoicesData, load_mmlu, load_wmdp
from unlearned.benchmarks.settings import check_settings
from unlearned.benchmarks.systems import check_systems
from unlearned.benchmarks.tofu.finetune import FinetuneConfig
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions

Benchmark = Literal["mmlu", "wmdp"]
Header = Literal["both", "yes", "no"]
FORMS: Mapping[Header, tuple[bool, ...]] = {"both": (True, False), "yes": (True,), "no": (False,)}

TRAINING: Mapping[str, Any] = {"epochs": 30, "batch_size": 4, "learning_rate": 5e-4, "max_tokens": 1024}
"""Of `teach`, unless something else is said. Single letters are learned by many small steps."""

DEFAULT = ("none", "eco-rn", "eco-zo")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoicesRunConfig:
    """One run."""

    benchmark: Benchmark = "mmlu"
    task: str = "economics"
    """Of MMLU: what is forgotten."""

    domains: tuple[str, ...] = tuple(DOMAINS)
    """Of WMDP: what is forgotten."""

    data: str | None = None
    """Folder or hub name; None: the benchmark's own on the hub."""

    mmlu: str = MMLU
    """For WMDP: what is retained."""

    forget: str | None = None
    """For WMDP: file of questions that unlearners are fitted with."""

    model: ModelOptions = field(default_factory=ModelOptions)
    unlearners: tuple[str, ...] = DEFAULT
    seeds: int = 1
    """Each unlearner is fitted with the seeds 0, 1, ..."""

    header: Header = "both"
    """Whether prompts begin with the line that names the subject."""

    leading_space: bool = True
    """Whether letters are scored as they follow the colon, " A", as lm-eval does; False: "A", as ECO's code does."""

    words: int = 0
    """Questions of each group that are also asked without options, and answered in words."""

    limit: int | None = None
    """First questions of each subject; None = all."""

    others: int | None = None
    """The same for the subjects that are neither forgotten nor close; None = `limit`."""

    synthetic: int = 300
    """Most made-up questions of the subject that unlearners are fitted with."""

    batch_size: int = 16
    teach: bool = False
    """Whether the start model learns the letters of forget and close questions first."""

    training: FinetuneConfig = field(default_factory=lambda: training_of({}))
    fit: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FitConfig` that replace its defaults."""

    train: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainConfig`, for all methods that change weights."""

    def __post_init__(self) -> None:
        if self.benchmark not in get_args(Benchmark):
            raise ConfigError(f"benchmark={self.benchmark!r}: must be mmlu or wmdp.")
        if self.header not in FORMS:
            raise ConfigError(f"header={self.header!r}: must be both, yes or no.")
        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train)
        if self.batch_size < 1 or min(self.words, self.synthetic) < 0:
            raise ConfigError("batch_size must be at least 1, words and synthetic at least 0.")
        if self.teach and not self.leading_space:
            raise ConfigError("--teach teaches letters behind a space. Leave --no-leading-space out.")
        if self.teach and self.model.adapter is not None:
            raise ConfigError("--teach trains an adapter of its own. Leave --adapter out.")


def training_of(settings: Mapping[str, Any]) -> FinetuneConfig:
    """How to teach, with these fields of `FinetuneConfig` in place of `TRAINING`'s; raises `ConfigError`."""
    check_settings(settings, FinetuneConfig, (), "--training")
    return FinetuneConfig(**{**TRAINING, **settings})


def load_data(config: ChoicesRunConfig) -> ChoicesData:
    """The questions of a run."""
    if config.benchmark == "mmlu":
        return load_mmlu(
            config.data or MMLU, config.task, limit=config.limit, others=config.others, examples=config.synthetic
        )
    return load_wmdp(
        config.data or WMDP,
        config.mmlu,
        domains=config.domains,
        forget=config.forget,
        limit=config.limit,
        others=config.others,
    )
