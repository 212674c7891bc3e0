"""`unlearned bench sentiment`: reviews to forget and to keep."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from unlearned.benchmarks.sentiment.config import TRAINING, SentimentRunConfig, SentimentSplit
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.cli.bench.options import Out, Report, Shard, run_and_show
from unlearned.cli.configs import Chosen, Only, with_settings
from unlearned.models import ModelOptions


@with_settings
def sentiment(
    split: Chosen[SentimentSplit],
    config: Chosen[SentimentRunConfig],
    training: Annotated[Chosen[FinetuneConfig], Only("batch_size", **TRAINING)],
    options: ModelOptions,
    shard: Shard = None,
    out: Out = Path("runs/sentiment"),
    report: Report = True,
) -> None:
    """Sentiment (SPUL's set-up): reviews of some people or subjects are forgotten, the others keep their accuracy."""
    from unlearned.benchmarks.sentiment.run import run_sentiment

    chosen = config.make(model=options, split=split.make(), training=training.make())
    run_and_show(partial(run_sentiment, chosen, out), out, shard=shard, report=report)
