"""`unlearned bench news`, `book` and `muse`: a model that recites a text must not."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from unlearned.cli.bench.options import Fit, Out, Report, Seeds, Shard, Train, Unlearners, run_and_show
from unlearned.cli.configs import with_settings
from unlearned.cli.options import names
from unlearned.models import ModelOptions

Limit = Annotated[int | None, typer.Option(min=2, help="Most passages of every set, to try it out.")]
MaxTokens = Annotated[int, typer.Option(min=8, help="Of a passage and its end token; of news, without the title.")]
NewTokens = Annotated[int, typer.Option(min=1, help="Longest continuation that is generated.")]
Lora = Annotated[
    bool | None,
    typer.Option("--lora/--all-weights", help="How the start model is trained; default: all weights on accelerators."),
]
Epochs = Annotated[float | None, typer.Option(help="Of the start model; default: 5, with --lora 12.")]
LearningRate = Annotated[float | None, typer.Option(help="Of the start model; default: 2e-5, with --lora 1e-3.")]
Similarities = Annotated[
    str,
    typer.Option(help="packaged, or published: METEOR with WordNet and distilbert-base-uncased, which are downloaded."),
]

DEFAULT = "none,prompting,eco-rn,eco-zo"


@with_settings
def news(
    options: ModelOptions,
    data: Annotated[
        str | None, typer.Option(help="Folder, file or hub name with title and content; default: BBC, 2024-02.")
    ] = None,
    other: Annotated[str | None, typer.Option(help="The same of news that stays; default: cc_news.")] = None,
    other_rows: Annotated[int, typer.Option(min=1, help="How many of these stay, and how many are held out.")] = 10_000,
    unlearners: Unlearners = DEFAULT,
    seeds: Seeds = 1,
    limit: Limit = None,
    max_tokens: MaxTokens = 256,
    max_new_tokens: NewTokens = 256,
    lora: Lora = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    similarities: Similarities = "packaged",
    fit: Fit = None,
    train: Train = None,
    shard: Shard = None,
    out: Out = Path("runs/news"),
    report: Report = True,
) -> None:
    """News articles learned by heart: are they still recited when their titles are given?"""
    from unlearned.benchmarks.copyright.run import CopyrightRunConfig, run_copyright
    from unlearned.cli.settings import settings

    config = CopyrightRunConfig(
        task="news",
        forget=data,
        other=other,
        other_rows=other_rows,
        limit=limit,
        max_tokens=max_tokens,
        model=options,
        training=_training(lora, epochs, learning_rate),
        unlearners=names(unlearners),
        seeds=seeds,
        fit=settings(fit, "--fit"),
        train=settings(train, "--train"),
        evaluation=_evaluation(max_new_tokens, similarities),
    )
    run_and_show(partial(run_copyright, config, out), out, shard=shard, report=report)


@with_settings
def book(
    options: ModelOptions,
    text: Annotated[str | None, typer.Option(help="Text file to forget; default: a packaged story.")] = None,
    retain_text: Annotated[
        str | None, typer.Option(help="Text file, or data with snippets, that stays; default: packaged stories.")
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="Title of a book of this data that does not stay, such as the one to forget; repeatable."),
    ] = None,
    negatives: Annotated[
        float, typer.Option(help="Share of its sentences that the detector is fitted with; 0.1 for very many.")
    ] = 1.0,
    unlearners: Unlearners = DEFAULT,
    seeds: Seeds = 1,
    limit: Limit = None,
    max_tokens: MaxTokens = 256,
    max_new_tokens: NewTokens = 256,
    lora: Lora = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    similarities: Similarities = "packaged",
    fit: Fit = None,
    train: Train = None,
    shard: Shard = None,
    out: Out = Path("runs/book"),
    report: Report = True,
) -> None:
    """A book learned by heart: is it still recited when the first sentence of a passage is given?"""
    from unlearned.benchmarks.copyright.run import CopyrightRunConfig, run_copyright
    from unlearned.cli.settings import settings

    config = CopyrightRunConfig(
        task="book",
        forget=text,
        other=retain_text,
        leave_out=tuple(leave_out or ()),
        negatives=negatives,
        limit=limit,
        max_tokens=max_tokens,
        model=options,
        training=_training(lora, epochs, learning_rate),
        unlearners=names(unlearners),
        seeds=seeds,
        fit=settings(fit, "--fit"),
        train=settings(train, "--train"),
        evaluation=_evaluation(max_new_tokens, similarities),
    )
    run_and_show(partial(run_copyright, config, out), out, shard=shard, report=report)


@with_settings
def muse(
    options: ModelOptions,
    corpus: Annotated[str, typer.Option(help="news or books.")] = "news",
    data: Annotated[
        str | None, typer.Option(help="Folder with raw/forget.jsonl and so on; default: muse-bench on the hub.")
    ] = None,
    forget_set: Annotated[
        str, typer.Option(help="What unlearners are shown: raw, scal-1 ... scal-4, sust-1 ... sust-4.")
    ] = "raw",
    start: Annotated[
        str | None, typer.Option(help="Model that has learned everything, for example muse-bench/MUSE-News_target.")
    ] = None,
    retained: Annotated[
        str | None, typer.Option(help="Model without the forget set, for example muse-bench/MUSE-News_retrain.")
    ] = None,
    unlearners: Unlearners = DEFAULT,
    seeds: Seeds = 1,
    limit: Annotated[int | None, typer.Option(min=2, help="Most rows of every set that is asked.")] = None,
    sentences: Annotated[int, typer.Option(min=2, help="Of each side, that the detector is fitted with.")] = 2000,
    max_tokens: Annotated[int, typer.Option(min=8, help="Of a piece of text to train on.")] = 2048,
    style: Annotated[str, typer.Option(help="How texts are cut into pieces: muse or open-unlearning.")] = "muse",
    stemming: Annotated[bool, typer.Option("--stemming", help="ROUGE as open-unlearning has it.")] = False,
    lora: Lora = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    fit: Fit = None,
    train: Train = None,
    shard: Shard = None,
    out: Out = Path("runs/muse"),
    report: Report = True,
) -> None:
    """MUSE: verbatim memory, knowledge and membership of news or books, and what stays."""
    from typing import cast

    from unlearned.benchmarks.muse.data import Corpus, Style
    from unlearned.benchmarks.muse.evaluate import MuseEvaluation
    from unlearned.benchmarks.muse.run import MuseRunConfig, run_muse
    from unlearned.cli.settings import settings

    config = MuseRunConfig(
        corpus=cast(Corpus, corpus),
        data=data,
        forget_set=forget_set,
        limit=limit,
        model=options,
        start=start,
        retained=retained,
        training=_training(lora, epochs, learning_rate),
        max_tokens=max_tokens,
        style=cast(Style, style),
        sentences=sentences,
        unlearners=names(unlearners),
        seeds=seeds,
        fit=settings(fit, "--fit"),
        train=settings(train, "--train"),
        evaluation=MuseEvaluation(stemming=stemming),
    )
    run_and_show(partial(run_muse, config, out), out, shard=shard, report=report)


def _training(lora: bool | None, epochs: float | None, learning_rate: float | None) -> Any:
    from unlearned.benchmarks.copyright.training import StartConfig

    return StartConfig(adapter=lora, epochs=epochs, learning_rate=learning_rate)


def _evaluation(max_new_tokens: int, similarities: str) -> Any:
    from typing import cast

    from unlearned.benchmarks.copyright.evaluate import EvaluationConfig
    from unlearned.benchmarks.copyright.similarity import Kind

    return EvaluationConfig(max_new_tokens=max_new_tokens, similarities=cast(Kind, similarities))
