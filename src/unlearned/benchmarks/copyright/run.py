"""The run behind `unlearned bench news` and `unlearned bench book`: learn by heart, fit, ask, write down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unlearned.benchmarks.contenders import (
    Contender,
    Materials,
    Plain,
    own_model,
)
from unlearned.benchmarks.copyright.config import CopyrightRunConfig
from unlearned.benchmarks.copyright.data import NEWS, OTHER_NEWS, CopyrightData, load_book, load_news
from unlearned.benchmarks.copyright.evaluate import FORGET, HELD_OUT, Judge, evaluate
from unlearned.benchmarks.copyright.kind import with_retained
from unlearned.benchmarks.copyright.passages import Passage
from unlearned.benchmarks.copyright.similarity import encoder
from unlearned.benchmarks.copyright.training import learned_by_heart
from unlearned.benchmarks.kinds import Item
from unlearned.benchmarks.models import Load, plain_text
from unlearned.benchmarks.outcome import Outcome, Shard, Tested, config_json, machine_of, write_outcome
from unlearned.benchmarks.trials import RETAINED, START, Trials
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.methods.config import Form
from unlearned.methods.record import weights_sha256
from unlearned.metrics.recitation import Recited
from unlearned.models import load_model
from unlearned.progress import Progress, Tell

FORM = Form(prompt="{prompt}", answer=" {answer}", chat=False)
"""A prompt and its continuation, as one text."""

CODE = (
    "benchmarks/copyright",
    *(f"metrics/{name}.py" for name in ("text", "embedding", "memorisation", "recitation")),
)


def run_copyright(
    config: CopyrightRunConfig,
    out: Path,
    *,
    shard: Shard | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> Outcome:
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

    def ask(contender: Contender, phases: Progress) -> list[Item]:
        return evaluate(contender, sets, judge, shard=shard, start=known, report=phases)

    decides = {
        "data": dict(data.sha256),
        "passages": [config.task, config.limit, config.max_tokens, config.other_rows],
        "start": weights_sha256(start[0]),
    }
    trials = Trials(
        out,
        code=CODE,
        settings={**decides, "evaluation": asdict(config.evaluation)},
        fit={**decides, "negatives": config.negatives},
        shard=shard,
        evaluate=ask,
        report=report,
    )
    first = trials.tested(START, lambda: Plain(START, engine, own_weights=True))
    known += first.items
    retained = trials.tested(RETAINED, lambda: own_model(RETAINED, base))
    materials = materials_of(config, data, start, load)
    detected = data.in_scope, data.out_of_scope
    tested = [first, retained, *trials.compared(config.unlearners, config.seeds, materials, detected)]
    outcome = Outcome(
        kind=config.task,
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
    write_outcome(out, outcome)
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


def materials_of(config: CopyrightRunConfig, data: CopyrightData, start: Any, load: Load) -> Materials:
    """What unlearners are made of.

    What trains sees the forget passages and as many retain passages, drawn with replacement as the paper's baselines
    draw theirs. It learns continuations, not prompts.
    """
    long_enough = 2 * config.max_tokens  # a prompt and its continuation are tokenised apart
    return Materials(
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


def _compared(model: Tested, retained: Tested) -> Tested:
    return replace(model, items=with_retained(model.items, retained.items))
