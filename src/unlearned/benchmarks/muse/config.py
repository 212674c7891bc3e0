"""What a run of MUSE can be told. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from unlearned.benchmarks.copyright.config import DEFAULT, StartConfig
from unlearned.benchmarks.settings import fit_setting, seeds_setting, train_setting, unlearners_setting
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS, DATA, TRAINING, UNLEARNERS, check_bounds, setting

Corpus = Literal["news", "books"]
Style = Literal["muse", "open-unlearning"]
NEED_ANSWERS = ("spul", "in-context")
SHORTEST_PIECE = 8
"""Tokens; methods train on nothing shorter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MuseEvaluation:
    """How models are asked."""

    verbatim_tokens: int = 128
    """New tokens after a passage's beginning; as many of the true continuation are compared with."""

    answer_tokens: int = 32
    stemming: bool = setting(False, "ROUGE as open-unlearning has it; MUSE's own code does not stem.", group=ANSWERS)

    text_tokens: int = 2048
    """Most tokens of a text whose membership is asked; longer ones are cut."""

    batch_size: int = 8

    def __post_init__(self) -> None:
        if min(self.verbatim_tokens, self.answer_tokens, self.batch_size) < 1 or self.text_tokens < 3:
            raise ConfigError("All numbers of the evaluation must be at least 1, text_tokens at least 3.")


@dataclass(frozen=True, kw_only=True, slots=True)
class MuseRunConfig:
    """One run."""

    corpus: Corpus = setting("news", "news or books.", group=DATA)
    data: str | None = setting(
        None, "Folder with raw/forget.jsonl and so on; default: muse-bench on the hub.", group=DATA
    )
    forget_set: str = setting(
        "raw", "What unlearners are shown: raw, scal-1 ... scal-4, sust-1 ... sust-4.", group=DATA
    )
    limit: int | None = setting(None, "Most rows of every set that is asked.", min=2, group=DATA)

    model: ModelOptions = field(default_factory=ModelOptions)
    start: str | None = setting(
        None,
        "Model that has learned everything, for example muse-bench/MUSE-News_target; default: it is trained.",
        group=TRAINING,
    )
    retained: str | None = setting(
        None,
        "Model without the forget set, for example muse-bench/MUSE-News_retrain; default: it is trained.",
        group=TRAINING,
    )

    training: StartConfig = field(default_factory=StartConfig)
    max_tokens: int = setting(2048, "Of a piece of text to train on.", min=8, group=DATA)
    style: Style = setting("muse", "How texts are cut into pieces: muse or open-unlearning.", group=DATA)
    sentences: int = setting(
        2000, "Of each side, evenly spread, that the detector is fitted with.", min=2, group=UNLEARNERS
    )
    unlearners: tuple[str, ...] = unlearners_setting(DEFAULT)
    seeds: int = seeds_setting()
    fit: Mapping[str, Any] = fit_setting()
    train: Mapping[str, Any] = train_setting()

    evaluation: MuseEvaluation = field(default_factory=MuseEvaluation)

    def __post_init__(self) -> None:
        from unlearned.benchmarks.systems import check_systems

        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train)
        if wrong := [name for name in self.unlearners if name in NEED_ANSWERS]:
            raise ConfigError(f"{wrong[0]} needs prompts with answers, and MUSE has texts to forget. Leave it out.")
        if self.style not in get_args(Style):
            raise ConfigError(f"style={self.style!r}: must be one of {', '.join(get_args(Style))}.")
        if self.max_tokens < SHORTEST_PIECE:
            raise ConfigError(f"max_tokens={self.max_tokens}: must be at least {SHORTEST_PIECE}. MUSE takes 2048.")
        check_bounds(self)
        if (self.start is None) != (self.retained is None):
            raise ConfigError("Give both --start and --retained, or none of them.")
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark. Give whole models as --start and --retained.")
