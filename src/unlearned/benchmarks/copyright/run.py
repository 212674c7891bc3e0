"""The run behind `unlearned bench news` and `unlearned bench book`: learn by heart, fit, ask, write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.benchmark import Benchmark, Models, Start, Work, sha256_of
from unlearned.benchmarks.copyright.data import NEWS, OTHER_NEWS, OTHER_ROWS, CopyrightData, load_book, load_news
from unlearned.benchmarks.copyright.evaluate import FORGET, HELD_OUT, EvaluationConfig, Judge, evaluate
from unlearned.benchmarks.copyright.kind import SPECS, with_retained
from unlearned.benchmarks.copyright.passages import MAX_TOKENS, Passage
from unlearned.benchmarks.copyright.similarity import encoder
from unlearned.benchmarks.copyright.training import StartConfig, learned_by_heart
from unlearned.benchmarks.models import Load, plain_text
from unlearned.benchmarks.results import ModelResults
from unlearned.benchmarks.runner import runs
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import NONE, PROMPTING, FitInputs, System, check_systems
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.methods.data import Form
from unlearned.metrics.recitation import Recited
from unlearned.models import ModelOptions, load_model

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


class Copyright(Benchmark[CopyrightData]):
    """The start model learns passages by heart; systems are asked to go on with their beginnings."""

    def __init__(self, config: CopyrightRunConfig) -> None:
        self.config, self.spec = config, SPECS[config.task]
        self._base = plain_text(partial(load_model, config.model))

    def packages(self) -> Sequence[tuple[str, str, str]]:
        purpose = "The copyright benchmark"
        metrics = [(module, "metrics", purpose) for module in ("rouge_score", "nltk", "sacrebleu")]
        return (*metrics, ("peft", "train", purpose))

    def load(self) -> CopyrightData:
        encoder(self.config.evaluation.similarities)
        return load_data(self.config, self._base)

    def sha256(self, data: CopyrightData) -> Mapping[str, str]:
        return data.sha256

    def rows(self, data: CopyrightData) -> Mapping[str, Sequence[Passage]]:
        return {FORGET: data.forget, HELD_OUT: data.held_out}

    def models(self, data: CopyrightData, work: Work) -> Models:
        start = learned_by_heart(
            self._base,
            self.config.model,
            [passage.text for passage in data.forget],
            self.config.training,
            max_tokens=self.config.max_tokens * (2 if self.config.task == "news" else 1),  # room for a title
            cache=work.cache,
            report=work.report,
            tell=work.tell,
        )
        return Models(start=start, retained=self._base)  # whose weights the start model's depend on

    def decides(self, data: CopyrightData) -> Mapping[str, Any]:
        # Recitation is looked for in all passages, also in those of other shards.
        return {"evaluation": asdict(self.config.evaluation), "recited": sha256_of([p.text for p in data.forget])}

    def ask(self, system: System, rows: Rows, asking: Asking[CopyrightData]) -> Sequence[Item]:
        recited = Recited([passage.text for passage in asking.data.forget])
        judge = Judge(config=self.config.evaluation, start=asking.start, recited=recited)
        return evaluate(system, rows, judge, start=asking.before, report=asking.report)

    def compared(self, models: Sequence[ModelResults]) -> Sequence[ModelResults]:
        _, retained, *_ = models
        return [replace(model, items=with_retained(model.items, retained.items)) for model in models]

    def fit_inputs(self, data: CopyrightData, start: Start) -> FitInputs:
        """What trains sees the forget passages and as many retain passages, drawn with replacement as the paper's
        baselines draw theirs. It learns continuations, not prompts.
        """
        config = self.config
        long_enough = 2 * config.max_tokens  # a prompt and its continuation are tokenised apart
        return FitInputs(
            model=start.model,
            tokenizer=start.tokenizer,
            forget=data.in_scope,
            retain=data.out_of_scope,
            forget_rows=[_row(passage) for passage in data.forget],
            retain_rows=[_row(passage) for passage in partners(data.forget, data.retain)],
            fresh=start.fresh,
            instruction=data.instruction,
            fit=config.fit,
            train={"form": FORM, "max_tokens": long_enough, **config.train},
            spul={"form": FORM, "max_tokens": long_enough},
            scope=config.task,
        )

    def about(self, data: CopyrightData) -> Mapping[str, Any]:
        return {
            "passages": {name: len(passages) for name, passages in self.rows(data).items()},
            "fitted on": {"in scope": len(data.in_scope), "out of scope": len(data.out_of_scope)},
        }


run_copyright = runs(Copyright)


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


def partners(forget: Sequence[Passage], retain: Sequence[Passage], *, seed: int = 42) -> list[Passage]:
    """A retain passage for every forget passage, drawn with replacement: the baselines' R of arXiv:2406.07933."""
    drawn = np.random.default_rng(seed).integers(len(retain), size=len(forget))
    return [retain[int(index)] for index in drawn]


def _row(passage: Passage) -> Row:
    return Row(passage.prompt, passage.reference)
