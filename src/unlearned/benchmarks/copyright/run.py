"""The run behind `unlearned bench news` and `unlearned bench book`: learn by heart, fit, ask, write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unlearned.benchmarks.copyright.data import NEWS, OTHER_NEWS, OTHER_ROWS, CopyrightData, load_book, load_news
from unlearned.benchmarks.copyright.evaluate import FORGET, HELD_OUT, EvaluationConfig, Judge, evaluate
from unlearned.benchmarks.copyright.kind import SPECS, with_retained
from unlearned.benchmarks.copyright.passages import MAX_TOKENS, Passage
from unlearned.benchmarks.copyright.similarity import encoder
from unlearned.benchmarks.copyright.training import StartConfig, learned_by_heart
from unlearned.benchmarks.models import Load, plain_text
from unlearned.benchmarks.results import ModelResults, Results, Shard, config_json, machine_of, write_results
from unlearned.benchmarks.runner import RETAINED, START, Trials
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import (
    NONE,
    PROMPTING,
    FitInputs,
    Plain,
    System,
    check_systems,
    own_model,
)
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.methods.data import Form
from unlearned.methods.record import weights_sha256
from unlearned.metrics.recitation import Recited
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress, Tell

DEFAULT = (NONE, PROMPTING, "eco-rn", "eco-zo")
FORM = Form(prompt="{prompt}", answer=" {answer}", chat=False)
"""A prompt and its continuation, as one text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyrightRunConfig:
    """One run."""

    task: Literal["news", "book"]
    forget: str | None = None
    """Book: a text file; None = a packaged story. News: a hub name, file or folder; None = the paper's."""

    other: str | None = None
    """What stays, of the same kind; None = packaged stories, or the paper's news."""

    leave_out: tuple[str, ...] = ()
    """Book: titles of the other data that do not stay."""

    other_rows: int = OTHER_ROWS
    """News: how many rows are retained and how many held out."""

    negatives: float = 1.0
    """Book: share of the retain sentences that the detector is fitted with."""

    limit: int | None = None
    """Passages of each set, to try it out."""

    max_tokens: int = MAX_TOKENS
    """Of a passage of a book, or of an article without its title; the end token is among them."""

    model: ModelOptions = field(default_factory=ModelOptions)
    training: StartConfig = field(default_factory=StartConfig)
    unlearners: tuple[str, ...] = DEFAULT
    seeds: int = 1
    fit: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FitConfig` that replace its defaults."""

    train: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainConfig` that replace a method's recipe."""

    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        if self.task not in ("news", "book"):
            raise ConfigError(f"task={self.task!r}: must be 'news' or 'book'.")
        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train)
        if self.limit is not None and self.limit < 2:
            raise ConfigError(f"limit={self.limit}: must be at least 2.")
        if self.other_rows < 1:
            raise ConfigError(f"other_rows={self.other_rows}: must be at least 1.")
        if self.leave_out and self.task != "book":
            raise ConfigError("leave_out is for books: news have no titles of books.")
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark, which trains its own start model.")


def run_copyright(
    config: CopyrightRunConfig,
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
        shard: which passages are asked; everything is fitted all the same.
        cache: of the trainings; None = beside the embedded model.
        on_progress: called with (phase, done, total).
        tell: called with lines about what takes long.

    Raises:
        DataError: the data is not there or not what it should be, or `out` cannot be written.
        MissingExtraError: a package for the metrics or for training is not installed.
    """
    report = on_progress or (lambda phase, done, total: None)
    for module in ("rouge_score", "nltk", "sacrebleu"):  # now, and not after an hour
        require(module, extra="metrics", purpose="The copyright benchmark")
    require("peft", extra="train", purpose="The copyright benchmark")
    encoder(config.evaluation.similarities)
    base = plain_text(partial(load_model, config.model))
    data = load_data(config, base)
    texts = [passage.text for passage in data.forget]
    max_tokens = config.max_tokens * (2 if config.task == "news" else 1)  # room for an article's title
    load = learned_by_heart(
        base, config.model, texts, config.training, max_tokens=max_tokens, cache=cache, report=report, tell=tell
    )
    start = load()
    engine = TransformersEngine(*start)
    judge = Judge(config=config.evaluation, start=engine, recited=Recited(texts))
    sets = {FORGET: data.forget, HELD_OUT: data.held_out}
    known: list[Item] = []

    def ask(system: System, phases: Progress) -> list[Item]:
        return evaluate(system, sets, judge, shard=shard, start=known, report=phases)

    decides = {
        "data": dict(data.sha256),
        "passages": [config.task, config.limit, config.max_tokens, config.other_rows],
        "start": weights_sha256(start[0]),
    }
    trials = Trials(
        out,
        version=SPECS[config.task].version,
        settings={**decides, "evaluation": asdict(config.evaluation)},
        fit={**decides, "negatives": config.negatives},
        shard=shard,
        evaluate=ask,
        report=report,
        tell=tell,
    )
    first = trials.tested(START, lambda: Plain(START, engine, own_weights=True))
    known += first.items
    retained = trials.tested(RETAINED, lambda: own_model(RETAINED, base))
    materials = materials_of(config, data, start, load)
    detected = data.in_scope, data.out_of_scope
    tested = [first, retained, *trials.compared(config.unlearners, config.seeds, materials, detected)]
    outcome = Results(
        kind=config.task,
        version=SPECS[config.task].version,
        config=config_json(config),
        shard=shard,
        data=dict(data.sha256),
        models=tuple(_compared(model, retained) for model in tested),
        machine=machine_of(engine.model),
        extra={
            "passages": {name: len(passages) for name, passages in sets.items()},
            "fitted on": {"in scope": len(data.in_scope), "out of scope": len(data.out_of_scope)},
        },
    )
    write_results(out, outcome)
    return outcome


def load_data(config: CopyrightRunConfig, load: Load) -> CopyrightData:
    """The passages; token counts are those of the model's own tokenizer."""
    _, tokenizer = load()
    if config.task == "news":
        return load_news(
            tokenizer,
            forget=config.forget or NEWS,
            other=config.other or OTHER_NEWS,
            limit=config.limit,
            other_rows=config.other_rows,
            max_tokens=config.max_tokens,
        )
    return load_book(
        tokenizer,
        text=config.forget,
        other=config.other,
        leave_out=config.leave_out,
        limit=config.limit,
        max_tokens=config.max_tokens,
        negatives=config.negatives,
    )


def materials_of(config: CopyrightRunConfig, data: CopyrightData, start: Any, load: Load) -> FitInputs:
    """What unlearners are made of.

    What trains sees the forget passages and as many retain passages, drawn with replacement as the paper's baselines
    draw theirs. It learns continuations, not prompts.
    """
    long_enough = 2 * config.max_tokens  # a prompt and its continuation are tokenised apart
    return FitInputs(
        model=start[0],
        tokenizer=start[1],
        forget=data.in_scope,
        retain=data.out_of_scope,
        forget_rows=[_row(passage) for passage in data.forget],
        retain_rows=[_row(passage) for passage in partners(data.forget, data.retain)],
        fresh=load,
        instruction=data.instruction,
        fit=config.fit,
        train={"form": FORM, "max_tokens": long_enough, **config.train},
        spul={"form": FORM, "max_tokens": long_enough},
        scope=config.task,
    )


def partners(forget: Sequence[Passage], retain: Sequence[Passage], *, seed: int = 42) -> list[Passage]:
    """A retain passage for every forget passage, drawn with replacement: the baselines' R of arXiv:2406.07933."""
    drawn = np.random.default_rng(seed).integers(len(retain), size=len(forget))
    return [retain[int(index)] for index in drawn]


def _row(passage: Passage) -> Row:
    return Row(passage.prompt, passage.reference)


def _compared(model: ModelResults, retained: ModelResults) -> ModelResults:
    return replace(model, items=with_retained(model.items, retained.items))
