"""The run behind `unlearned bench news` and `unlearned bench book`: learn by heart, fit, ask, write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.benchmark import Benchmark, Models, Start, Work, sha256_of
from unlearned.benchmarks.copyright.config import CopyrightRunConfig
from unlearned.benchmarks.copyright.data import NEWS, OTHER_NEWS, CopyrightData, load_book, load_news
from unlearned.benchmarks.copyright.evaluate import FORGET, HELD_OUT, GenerationJudge, evaluate
from unlearned.benchmarks.copyright.passages import Passage
from unlearned.benchmarks.copyright.similarity import encoder
from unlearned.benchmarks.copyright.spec import SPECS, with_retained
from unlearned.benchmarks.copyright.training import learned_by_heart
from unlearned.benchmarks.models import Load, plain_text
from unlearned.benchmarks.results import ModelResults
from unlearned.benchmarks.runner import runs
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import FitInputs, System
from unlearned.examples import Row
from unlearned.methods.config import Form
from unlearned.metrics.recitation import Recited
from unlearned.models import load_model

FORM = Form(prompt="{prompt}", answer=" {answer}", chat=False)
"""A prompt and its continuation, as one text."""


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
        judge = GenerationJudge(config=self.config.evaluation, start=asking.start, recited=recited)
        return evaluate(system, rows, judge, start=asking.before, report=asking.report)

    def compared(self, models: Sequence[ModelResults]) -> Sequence[ModelResults]:
        _, retained, *_ = models
        return [replace(model, items=with_retained(model.items, retained.items)) for model in models]

    def fit_inputs(self, data: CopyrightData, start: Start) -> FitInputs:
        """Forget passages for what trains, and as many retain passages.

        These are drawn with replacement, as the paper's baselines draw theirs. Continuations are learned, not prompts.
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
