"""`unlearned bench sentiment`: reviews to forget and to keep."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.bench.options import Fit, Out, Report, Seeds, Shard, Spul, Train, Unlearners, run_and_show
from unlearned.cli.configs import with_settings
from unlearned.cli.options import names
from unlearned.models import ModelOptions


@with_settings
def sentiment(
    options: ModelOptions,
    dataset: Annotated[str, typer.Option(help="sst2 or yelp.")] = "sst2",
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder with train_forget, train_retain, test_forget and test_retain, or with train and one of dev, "
            "validation and test, of which the sets are made (.jsonl, .json, .csv); or a hub name. Default: the "
            "published splits on the hub."
        ),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Of the rows to forget, where the sets are made; default: as published.")
    ] = None,
    clusters: Annotated[int, typer.Option(min=2, help="Of Yelp's texts.")] = 20,
    tagger: Annotated[
        str | None, typer.Option(help="Token classifier that finds people in SST-2; default: a list of given names.")
    ] = None,
    fraction: Annotated[float, typer.Option(help="Share of the forget rows that is trained with.")] = 1.0,
    forget_rows: Annotated[int | None, typer.Option(min=1, help="Most training rows to forget.")] = None,
    retain_rows: Annotated[int | None, typer.Option(min=1, help="Most training rows to retain.")] = None,
    test_rows: Annotated[int | None, typer.Option(min=1, help="Most rows of each test set.")] = None,
    data_seed: Annotated[int, typer.Option(help="Of what is chosen and drawn.")] = 0,
    unlearners: Unlearners = "spul,eco,ga,gd",
    seeds: Seeds = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Of the fine-tuning on the task.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Of the fine-tuning on the task.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Of the fine-tuning on the task.")] = 3e-4,
    max_tokens: Annotated[int, typer.Option(min=32, help="Of prompt and label; longer reviews are cut.")] = 1024,
    fit: Fit = None,
    spul: Spul = None,
    train: Train = None,
    shard: Shard = None,
    out: Out = Path("runs/sentiment"),
    report: Report = True,
) -> None:
    """Sentiment (SPUL's set-up): reviews of some people or subjects are forgotten, the others keep their accuracy."""
    from typing import cast

    from unlearned.benchmarks.sentiment.data import Name, SentimentSplit
    from unlearned.benchmarks.sentiment.run import SentimentRunConfig, run_sentiment
    from unlearned.benchmarks.tofu.finetune import FinetuneConfig
    from unlearned.cli.settings import settings

    config = SentimentRunConfig(
        data=data,
        model=options,
        split=SentimentSplit(
            dataset=cast(Name, dataset),
            share=share,
            clusters=clusters,
            tagger=tagger,
            fraction=fraction,
            forget_rows=forget_rows,
            retain_rows=retain_rows,
            test_rows=test_rows,
            seed=data_seed,
        ),
        unlearners=names(unlearners),
        seeds=seeds,
        max_tokens=max_tokens,
        training=FinetuneConfig(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate),
        fit=settings(fit, "--fit"),
        spul={"alpha": 1.0, **settings(spul, "--spul")},
        train=settings(train, "--train"),
    )
    run_and_show(partial(run_sentiment, config, out), out, shard=shard, report=report)
