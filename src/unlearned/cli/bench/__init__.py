"""`unlearned bench`: benchmarks of unlearning, one subcommand each."""

from __future__ import annotations

import typer

from unlearned.cli.bench.answers import answers
from unlearned.cli.bench.choices import mmlu, wmdp
from unlearned.cli.bench.copyright import book, muse, news
from unlearned.cli.bench.detection import classifier
from unlearned.cli.bench.harmful import harmful
from unlearned.cli.bench.probes import probes
from unlearned.cli.bench.sentiment import sentiment
from unlearned.cli.bench.shown import merge
from unlearned.cli.bench.strangers import strangers
from unlearned.cli.bench.subjects import subjects
from unlearned.cli.bench.tofu import tofu, verify
from unlearned.cli.command import Command

bench = typer.Typer(help="Run a benchmark.", no_args_is_help=True)


@bench.callback()
def group() -> None:
    """Run a benchmark."""


for command in (
    classifier,
    strangers,
    subjects,
    tofu,
    verify,
    merge,
    sentiment,
    harmful,
    news,
    book,
    muse,
    mmlu,
    wmdp,
    probes,
    answers,
):
    bench.command(cls=Command)(command)
