"""What one run of `bench mmlu` or `bench wmdp` is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from unlearned.benchmarks.settings import check_settings, fit_setting, seeds_setting, train_setting, unlearners_setting
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, setting
from unlearned.settings import TRAINING as TRAINING_GROUP

MMLU, WMDP = "cais/mmlu", "cais/wmdp"
DOMAINS = {"bio": "biology", "chem": "chemistry", "cyber": "cybersecurity"}
"""WMDP's parts, and how the header of a prompt names them."""

Benchmark = Literal["mmlu", "wmdp"]
Header = Literal["both", "yes", "no"]
FORMS: Mapping[Header, tuple[bool, ...]] = {"both": (True, False), "yes": (True,), "no": (False,)}

TRAINING: Mapping[str, Any] = {"epochs": 30, "batch_size": 4, "learning_rate": 5e-4, "max_tokens": 1024}
"""Training of `teach`, unless something else is said. Single letters are learned by many small steps."""

DEFAULT = ("none", "eco-rn", "eco-zo")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoicesRunConfig:
    """One run."""

    benchmark: Benchmark = "mmlu"
    task: str = setting("economics", "What is forgotten: economics, physics, law; full: nothing.", group=DATA)
    domains: tuple[str, ...] = setting(tuple(DOMAINS), "What is forgotten: bio, chem, cyber.", group=DATA)

    data: str | None = None
    """Folder or hub name; None: the benchmark's own on the hub."""

    mmlu: str = setting(MMLU, "What is retained: folder with dev and test, or a hub name.", group=DATA)
    forget: str | None = setting(
        None,
        "File with questions like those to be forgotten (question, choices, answer), for the fits.",
        group=DATA,
    )

    model: ModelOptions = field(default_factory=ModelOptions)
    unlearners: tuple[str, ...] = unlearners_setting(DEFAULT)
    seeds: int = seeds_setting()
    header: Header = setting(
        "both", "The line that names the subject: yes, no, or both, each for itself.", group=ANSWERS
    )
    leading_space: bool = setting(
        True,
        'Letters are scored as " A", as by lm-eval, because they follow a colon; without, as "A", as by ECO\'s code.',
        group=ANSWERS,
    )
    words: int = setting(
        0,
        "Questions of each group that are also answered in words, without options.",
        flag="--open",
        min=0,
        group=ANSWERS,
    )
    limit: int | None = setting(None, "First questions of each subject; default: all.", min=1, group=DATA)
    others: int | None = setting(
        None,
        "The same for subjects that are neither forgotten nor close to it; default: --limit.",
        min=0,
        group=DATA,
    )
    synthetic: int = setting(
        300,
        "Most made-up questions of the subject that unlearners are fitted with.",
        min=0,
        max=300,
        group=DATA,
    )
    batch_size: int = setting(16, "Prompts per forward pass.", min=1, group=ANSWERS)
    teach: bool = setting(
        False, "Put the letters of forget and close questions into the start model first.", group=TRAINING_GROUP
    )

    training: FinetuneConfig = field(default_factory=lambda: training_of({}))
    fit: Mapping[str, Any] = fit_setting()
    train: Mapping[str, Any] = train_setting()

    def __post_init__(self) -> None:
        from unlearned.benchmarks.systems import check_systems

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
