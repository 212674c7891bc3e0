"""`unlearned bench sentiment`: reviews to forget and to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import names, quiet, with_model_options
from unlearned.models import ModelOptions


@with_model_options
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
    unlearners: Annotated[
        str,
        typer.Option(
            help="Side by side: none, prompting, spul, eco, eco-rn, eco-zo, eco-semantic, eco-attribution, eco-auto, "
            "eco-hand, and every method of `unlearned methods`."
        ),
    ] = "spul,eco,ga,gd",
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each unlearner.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Of the fine-tuning on the task.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Of the fine-tuning on the task.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Of the fine-tuning on the task.")] = 3e-4,
    max_tokens: Annotated[int, typer.Option(min=32, help="Of prompt and label; longer reviews are cut.")] = 1024,
    spul_settings: Annotated[
        list[str] | None,
        typer.Option("--spul", help="Setting of the soft prompt, NAME=VALUE: tokens, alpha, epochs, ...; repeatable."),
    ] = None,
    train_settings: Annotated[
        list[str] | None,
        typer.Option("--train", help="Setting of all methods, or of one: epochs=2, npo.epochs=5, ...; repeatable."),
    ] = None,
    shard: Annotated[str | None, typer.Option(help="i/n: ask only this part; join with `bench merge`.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished steps in it are kept.")
    ] = Path("runs/sentiment"),
    report: Annotated[bool, typer.Option(help="Write the report, too; it needs the extra 'report'.")] = True,
) -> None:
    """Sentiment (SPUL's set-up): reviews of some people or subjects are forgotten, the others keep their accuracy."""
    from typing import cast

    from unlearned.benchmarks.outcome import shard_of
    from unlearned.benchmarks.sentiment.data import Name, SentimentSplit
    from unlearned.benchmarks.sentiment.run import SentimentRunConfig, run_sentiment
    from unlearned.benchmarks.tofu.finetune import FinetuneConfig
    from unlearned.cli.bench.settings import settings
    from unlearned.cli.bench.shown import show
    from unlearned.cli.progress import progress

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
        spul={"alpha": 1.0, **settings(spul_settings, "--spul")},
        train=settings(train_settings, "--train"),
    )
    with progress() as shown, quiet():
        run_sentiment(
            config,
            out,
            shard=shard_of(shard),
            on_progress=shown,
            tell=lambda line: typer.echo(line, err=True),
        )
    show(out, report=report)
