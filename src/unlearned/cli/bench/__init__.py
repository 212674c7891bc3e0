"""`unlearned bench`: benchmarks, one subcommand each."""

from __future__ import annotations

import typer

from unlearned.cli.bench.answers import answers
from unlearned.cli.bench.choices import mmlu, wmdp
from unlearned.cli.bench.copyright import book, muse, news
from unlearned.cli.bench.corruption import corruption_table, strength
from unlearned.cli.bench.cost import serving, speed
from unlearned.cli.bench.detection import classifier, index
from unlearned.cli.bench.harmful import harmful
from unlearned.cli.bench.load import load
from unlearned.cli.bench.methods import method_costs
from unlearned.cli.bench.probes import probes
from unlearned.cli.bench.sentiment import sentiment
from unlearned.cli.bench.shown import merge
from unlearned.cli.bench.strangers import strangers
from unlearned.cli.bench.subjects import subjects
from unlearned.cli.bench.tofu import tofu, verify

bench = typer.Typer(help="Run a benchmark.", no_args_is_help=True)


@bench.callback()
def group() -> None:
    """Run a benchmark."""


for command in (
    speed,
    classifier,
    index,
    strength,
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
    load,
    probes,
    answers,
):
    bench.command()(command)
bench.command(name="corruptions")(corruption_table)
bench.command(name="serve")(serving)
bench.command(name="methods")(method_costs)
