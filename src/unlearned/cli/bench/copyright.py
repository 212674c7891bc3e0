"""`unlearned bench news`, `book` and `muse`: a model that recites a text must not."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from unlearned.benchmarks.copyright.config import CopyrightEvaluationConfig, CopyrightRunConfig, StartConfig
from unlearned.benchmarks.muse.config import MuseEvaluation, MuseRunConfig
from unlearned.cli.bench.options import Out, Report, Shard, run_and_show
from unlearned.cli.configs import Chosen, Only, with_settings
from unlearned.models import ModelOptions

BOOK, NEWS = ("leave_out", "negatives"), ("other_rows",)
"""Settings of one of the two alone."""


@with_settings
def news(
    config: Annotated[Chosen[CopyrightRunConfig], Only(without=BOOK)],
    training: Chosen[StartConfig],
    evaluation: Chosen[CopyrightEvaluationConfig],
    options: ModelOptions,
    data: Annotated[
        str | None, typer.Option(help="Folder, file or hub name with title and content; default: BBC, 2024-02.")
    ] = None,
    other: Annotated[str | None, typer.Option(help="The same of news that stays; default: cc_news.")] = None,
    shard: Shard = None,
    out: Out = Path("runs/news"),
    report: Report = True,
) -> None:
    """News articles learned by heart: are they still recited when their titles are given?"""
    parts = {"training": training.make(), "evaluation": evaluation.make()}
    _run(config.make(task="news", forget=data, other=other, model=options, **parts), out, shard, report=report)


@with_settings
def book(
    config: Annotated[Chosen[CopyrightRunConfig], Only(without=NEWS)],
    training: Chosen[StartConfig],
    evaluation: Chosen[CopyrightEvaluationConfig],
    options: ModelOptions,
    text: Annotated[str | None, typer.Option(help="Text file to forget; default: a packaged story.")] = None,
    retain_text: Annotated[
        str | None, typer.Option(help="Text file, or data with snippets, that stays; default: packaged stories.")
    ] = None,
    shard: Shard = None,
    out: Out = Path("runs/book"),
    report: Report = True,
) -> None:
    """A book learned by heart: is it still recited when the first sentence of a passage is given?"""
    parts = {"training": training.make(), "evaluation": evaluation.make()}
    _run(config.make(task="book", forget=text, other=retain_text, model=options, **parts), out, shard, report=report)


@with_settings
def muse(
    config: Chosen[MuseRunConfig],
    evaluation: Chosen[MuseEvaluation],
    training: Chosen[StartConfig],
    options: ModelOptions,
    shard: Shard = None,
    out: Out = Path("runs/muse"),
    report: Report = True,
) -> None:
    """MUSE: verbatim memory, knowledge and membership of news or books, and what stays."""
    from unlearned.benchmarks.muse.run import run_muse

    chosen = config.make(model=options, training=training.make(), evaluation=evaluation.make())
    run_and_show(partial(run_muse, chosen, out), out, shard=shard, report=report)


def _run(config: CopyrightRunConfig, out: Path, shard: str | None, *, report: bool) -> None:
    from unlearned.benchmarks.copyright.run import run_copyright

    run_and_show(partial(run_copyright, config, out), out, shard=shard, report=report)
