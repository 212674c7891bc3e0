"""The run behind `unlearned bench muse`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from unlearned.benchmarks.copyright.run import FORM
from unlearned.benchmarks.copyright.sentences import sentences
from unlearned.benchmarks.copyright.training import StartConfig, learned_by_heart
from unlearned.benchmarks.models import Load, plain_text
from unlearned.benchmarks.muse.data import Corpus, MuseData, Style, cut_texts, load_muse
from unlearned.benchmarks.muse.evaluate import MuseEvaluation, evaluate
from unlearned.benchmarks.muse.kind import KIND, with_retained
from unlearned.benchmarks.results import ModelResults, Results, Shard, config_json, machine_of, write_results
from unlearned.benchmarks.runner import RETAINED, START, Trials
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import (
    NONE,
    PROMPTING,
    SOFT_PROMPT,
    FitInputs,
    Plain,
    System,
    check_systems,
)
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row, evenly
from unlearned.extras import require
from unlearned.methods.record import weights_sha256
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress, Tell

NEED_ANSWERS = (SOFT_PROMPT, "in-context")
DEFAULT = (NONE, PROMPTING, "eco-rn", "eco-zo")
SHORTEST = 10
"""Characters above which a sentence is an example for the detector."""

SHORTEST_PIECE = 8
"""Tokens; methods train on nothing shorter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MuseRunConfig:
    """One run."""

    corpus: Corpus = "news"
    data: str | None = None
    """A folder; None = the hub."""

    forget_set: str = "raw"
    limit: int | None = None
    """Rows of every set that is asked."""

    model: ModelOptions = field(default_factory=ModelOptions)
    start: str | None = None
    """A model that was trained on everything, for example `muse-bench/MUSE-News_target`; None = train it."""

    retained: str | None = None
    """One that was trained without the forget set, for example `muse-bench/MUSE-News_retrain`; None = train it."""

    training: StartConfig = field(default_factory=StartConfig)
    max_tokens: int = 2048
    """Of a piece of text to train on."""

    style: Style = "muse"
    """How texts are cut into pieces."""

    sentences: int = 2000
    """Of each side, evenly spread, that the detector is fitted with."""

    unlearners: tuple[str, ...] = DEFAULT
    seeds: int = 1
    fit: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FitConfig` that replace its defaults."""

    train: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainConfig` that replace a method's recipe."""

    evaluation: MuseEvaluation = field(default_factory=MuseEvaluation)

    def __post_init__(self) -> None:
        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train)
        if wrong := [name for name in self.unlearners if name in NEED_ANSWERS]:
            raise ConfigError(f"{wrong[0]} needs prompts with answers, and MUSE has texts to forget. Leave it out.")
        if self.limit is not None and self.limit < 2:
            raise ConfigError(f"limit={self.limit}: must be at least 2.")
        if self.style not in get_args(Style):
            raise ConfigError(f"style={self.style!r}: must be one of {', '.join(get_args(Style))}.")
        if self.max_tokens < SHORTEST_PIECE:
            raise ConfigError(f"max_tokens={self.max_tokens}: must be at least {SHORTEST_PIECE}. MUSE takes 2048.")
        if self.sentences < 2:
            raise ConfigError(f"sentences={self.sentences}: must be at least 2.")
        if (self.start is None) != (self.retained is None):
            raise ConfigError("Give both --start and --retained, or none of them.")
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark. Give whole models as --start and --retained.")


def run_muse(
    config: MuseRunConfig,
    out: Path,
    *,
    shard: Shard | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> Results:
    """Run, and write the results, `artifacts/` and `steps/` into the folder `out`.

    Args:
        config: what to run.
        out: made if it is not there; finished steps in it are kept if nothing that decides them has changed.
        shard: which rows are asked; everything is fitted all the same.
        cache: of the trainings; None = beside the embedded model.
        on_progress: called with (phase, done, total).
        tell: called with lines about what takes long.

    Raises:
        DataError: the data is not there or not what it should be, or `out` cannot be written.
        MissingExtraError: a package for the metrics or for training is not installed.
    """
    report = on_progress or (lambda phase, done, total: None)
    require("rouge_score", extra="metrics", purpose="The MUSE benchmark")  # now, and not after an hour
    require("peft", extra="train", purpose="The MUSE benchmark")
    data = load_muse(
        config.corpus, config.data, forget_set=config.forget_set, limit=config.limit, train=config.start is None
    )
    load, load_retained = models(config, data, cache, report, tell)
    start = load()
    engine = TransformersEngine(*start)
    known: list[Item] = []

    def ask(system: System, phases: Progress) -> list[Item]:
        return evaluate(system, data, config.evaluation, shard=shard, start=known, report=phases)

    weights = weights_sha256(start[0])
    materials = materials_of(config, data, start, load)
    trials = Trials(
        out,
        version=KIND.version,
        settings={"data": data.asked_sha256, "limit": config.limit, "evaluation": asdict(config.evaluation)},
        fit={"start": weights, "shown": shown_sha256(materials)},
        shard=shard,
        evaluate=ask,
        report=report,
        tell=tell,
    )
    first = trials.tested(START, lambda: Plain(START, engine, own_weights=True), settings={"weights": weights})
    known += first.items
    retained = _retained(trials, load_retained)
    detected = materials.forget, materials.retain
    tested = [first, retained, *trials.compared(config.unlearners, config.seeds, materials, detected)]
    outcome = Results(
        kind="muse",
        version=KIND.version,
        config=config_json(config),
        shard=shard,
        data=dict(data.sha256),
        models=tuple(replace(model, items=with_retained(model.items, retained.items)) for model in tested),
        machine=machine_of(engine.model),
        extra={"fitted on": {"in scope": len(materials.forget), "out of scope": len(materials.retain)}},
    )
    write_results(out, outcome)
    return outcome


def _retained(trials: Trials, load: Load) -> ModelResults:
    """The retained model's items. Its name says little about its weights: a folder can hold others the next time."""
    model = load()
    return trials.tested(
        RETAINED,
        lambda: Plain(RETAINED, TransformersEngine(*model), own_weights=True),
        settings={"weights": weights_sha256(model[0])},
    )


def models(
    config: MuseRunConfig, data: MuseData, cache: Path | None, report: Progress, tell: Tell | None
) -> tuple[Load, Load]:
    """What gives the start and the retained model: those that are named, or trained on all texts and on what stays.

    Raises:
        DataError: nothing is named, and there is nothing to train on.
    """
    if config.start is not None and config.retained is not None:
        start, retained = (replace(config.model, model=name, revision=None) for name in (config.start, config.retained))
        return plain_text(partial(load_model, start)), plain_text(partial(load_model, retained))
    if not data.train:
        raise DataError(
            "There is no train/forget (or train/full) to train a start model on. Name models with --start and "
            "--retained."
        )
    base = plain_text(partial(load_model, config.model))
    tokenizer = base()[1]

    def trained(name: str, texts: Sequence[str]) -> Load:
        pieces = cut_texts(texts, tokenizer, config.max_tokens, config.style)
        return learned_by_heart(
            base,
            config.model,
            pieces,
            config.training,
            max_tokens=config.max_tokens,
            end=False,
            name=name,
            cache=cache,
            report=report,
            tell=tell,
        )

    return trained(START, data.train), trained(RETAINED, data.train_retained)


def materials_of(config: MuseRunConfig, data: MuseData, start: Any, load: Load) -> FitInputs:
    """What unlearners are made of: sentences for the detector; texts, which count as a whole, for what trains."""
    _, tokenizer = start
    forget, retain = (_sentences(texts, config.sentences) for texts in (data.forget, data.retain))
    taken = set(forget)
    pieces = {
        side: [Row(piece) for piece in cut_texts(texts, tokenizer, config.max_tokens, config.style)]
        for side, texts in (("forget", data.forget), ("retain", data.retain))
    }
    return FitInputs(
        model=start[0],
        tokenizer=tokenizer,
        forget=forget,
        retain=[sentence for sentence in retain if sentence not in taken],
        forget_rows=pieces["forget"],
        retain_rows=pieces["retain"],
        fresh=load,
        instruction="Do not use what you know about the following.\n",
        fit=config.fit,
        train={"form": FORM, "max_tokens": config.max_tokens, **config.train},
        spul={"form": FORM, "max_tokens": config.max_tokens},
        scope=config.corpus,
    )


def shown_sha256(materials: FitInputs) -> str:
    """Of the texts that unlearners are made of."""
    pieces = [[row.prompt for row in rows] for rows in (materials.forget_rows, materials.retain_rows)]
    shown = [list(materials.forget), list(materials.retain), *pieces, materials.scope]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _sentences(texts: Sequence[str], most: int) -> list[str]:
    found = dict.fromkeys(s for text in texts for s in sentences(text) if len(s) > SHORTEST)
    return evenly(list(found), most)
