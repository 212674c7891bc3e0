"""`unlearned bench mmlu` and `bench wmdp`: exams with lettered options."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from unlearned.benchmarks.choices.config import ChoicesRunConfig, training_of
from unlearned.cli.bench.moved import moved
from unlearned.cli.bench.options import Out, Report, Shard, run_and_show
from unlearned.cli.configs import Chosen, Only, with_settings
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.settings import TRAINING


@with_settings
def mmlu(
    config: Annotated[Chosen[ChoicesRunConfig], Only(without=("domains", "mmlu", "forget"))],
    options: ModelOptions,
    data: Annotated[
        str | None, typer.Option(help="Folder with dev and test (.jsonl, .json, .csv), or a hub name (cais/mmlu).")
    ] = None,
    training: Annotated[
        list[str] | None,
        typer.Option(
            help="Setting of --teach, NAME=VALUE: epochs, batch_size, learning_rate, ...; repeatable.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    speed: Annotated[bool, typer.Option("--speed", hidden=True)] = False,
    shard: Shard = None,
    out: Out = Path("runs/mmlu"),
    report: Report = True,
) -> None:
    """MMLU: a subject is forgotten, close ones and all others keep their accuracy."""
    from unlearned.benchmarks.choices.run import run_choices
    from unlearned.cli.settings import settings

    if speed:
        raise ConfigError(moved("mmlu --speed"))
    chosen = config.make(data=data, model=options, training=training_of(settings(training, "--training")))
    run_and_show(partial(run_choices, chosen, out), out, shard=shard, report=report)


@with_settings
def wmdp(
    config: Annotated[Chosen[ChoicesRunConfig], Only(without=("task", "synthetic", "teach"), unlearners=("none",))],
    options: ModelOptions,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder with wmdp-bio, wmdp-chem and wmdp-cyber (.jsonl, .json, .csv), or a hub name (cais/wmdp)."
        ),
    ] = None,
    shard: Shard = None,
    out: Out = Path("runs/wmdp"),
    report: Report = True,
) -> None:
    """WMDP: hazardous fields are forgotten, MMLU is retained."""
    from unlearned.benchmarks.choices.run import run_choices

    chosen = config.make(benchmark="wmdp", data=data, model=options)
    run_and_show(partial(run_choices, chosen, out), out, shard=shard, report=report)
