"""`unlearned bench mmlu` and `bench wmdp`: exams with lettered options."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from unlearned.cli.bench.options import Fit, Out, Report, Seeds, Shard, Train, Unlearners, run_and_show
from unlearned.cli.configs import with_settings
from unlearned.cli.options import BatchSize, names, quiet
from unlearned.models import ModelOptions

HeaderOption = Annotated[str, typer.Option(help="The line that names the subject: yes, no, or both, each for itself.")]
Words = Annotated[
    int, typer.Option("--open", min=0, help="Questions of each group that are also answered in words, without options.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="First questions of each subject.")]
Others = Annotated[
    int | None, typer.Option(min=0, help="The same for subjects that are neither forgotten nor close to it.")
]
LeadingSpace = Annotated[
    bool, typer.Option(help='Letters are scored as " A", as by lm-eval; without, as "A", as by the code of ECO.')
]


@with_settings
def mmlu(
    options: ModelOptions,
    data: Annotated[
        str | None, typer.Option(help="Folder with dev and test (.jsonl, .json, .csv), or a hub name [cais/mmlu].")
    ] = None,
    task: Annotated[str, typer.Option(help="What is forgotten: economics, physics, law; full: nothing.")] = "economics",
    unlearners: Unlearners = "none,eco-rn,eco-zo",
    seeds: Seeds = 1,
    header: HeaderOption = "both",
    leading_space: LeadingSpace = True,
    words: Words = 0,
    limit: Limit = None,
    others: Others = None,
    synthetic: Annotated[
        int, typer.Option(min=0, max=300, help="Most made-up questions of the subject that unlearners are fitted with.")
    ] = 300,
    batch_size: BatchSize = 16,
    teach: Annotated[
        bool, typer.Option("--teach", help="Put the answers of forget and close questions into the model first.")
    ] = False,
    training: Annotated[
        list[str] | None,
        typer.Option(help="Setting of --teach, NAME=VALUE: epochs, batch_size, learning_rate, ...; repeatable."),
    ] = None,
    fit: Fit = None,
    train: Train = None,
    speed: Annotated[
        bool, typer.Option("--speed", help="Only compare the speed with lm-eval's own model, on all subjects.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Of --speed.")] = 3,
    shard: Shard = None,
    out: Out = Path("runs/mmlu"),
    report: Report = True,
) -> None:
    """MMLU: a subject is forgotten, close ones and all others keep their accuracy."""
    from unlearned.benchmarks.choices.config import ChoicesRunConfig, training_of
    from unlearned.benchmarks.choices.run import run_choices
    from unlearned.cli.settings import settings

    if speed:
        _speed(options, data, out, limit=limit, batch_size=batch_size, rounds=rounds)
        return
    config = ChoicesRunConfig(
        task=task,
        data=data,
        model=options,
        synthetic=synthetic,
        teach=teach,
        training=training_of(settings(training, "--training")),
        **_shared(unlearners, seeds, header, leading_space, words, limit, others, batch_size, fit, train),
    )
    run_and_show(partial(run_choices, config, out), out, shard=shard, report=report)


@with_settings
def wmdp(
    options: ModelOptions,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder with wmdp-bio, wmdp-chem and wmdp-cyber (.jsonl, .json, .csv), or a hub name [cais/wmdp]."
        ),
    ] = None,
    mmlu_data: Annotated[
        str, typer.Option("--mmlu", help="What is retained: folder with dev and test, or a hub name.")
    ] = "cais/mmlu",
    domains: Annotated[str, typer.Option(help="What is forgotten: bio, chem, cyber.")] = "bio,chem,cyber",
    forget: Annotated[
        str | None,
        typer.Option(help="File with questions like those to be forgotten (question, choices, answer), for the fits."),
    ] = None,
    unlearners: Unlearners = "none",
    seeds: Seeds = 1,
    header: HeaderOption = "both",
    leading_space: LeadingSpace = True,
    words: Words = 0,
    limit: Limit = None,
    others: Others = None,
    batch_size: BatchSize = 16,
    fit: Fit = None,
    train: Train = None,
    shard: Shard = None,
    out: Out = Path("runs/wmdp"),
    report: Report = True,
) -> None:
    """WMDP: hazardous fields are forgotten, MMLU is retained."""
    from unlearned.benchmarks.choices.config import ChoicesRunConfig
    from unlearned.benchmarks.choices.run import run_choices

    config = ChoicesRunConfig(
        benchmark="wmdp",
        data=data,
        mmlu=mmlu_data,
        domains=names(domains),
        forget=forget,
        model=options,
        **_shared(unlearners, seeds, header, leading_space, words, limit, others, batch_size, fit, train),
    )
    run_and_show(partial(run_choices, config, out), out, shard=shard, report=report)


def _shared(
    unlearners: str,
    seeds: int,
    header: str,
    leading_space: bool,
    words: int,
    limit: int | None,
    others: int | None,
    batch_size: int,
    fit: list[str] | None,
    train: list[str] | None,
) -> dict[str, Any]:
    from unlearned.cli.settings import settings

    return {
        "unlearners": names(unlearners),
        "seeds": seeds,
        "header": header,
        "leading_space": leading_space,
        "words": words,
        "limit": limit,
        "others": others,
        "batch_size": batch_size,
        "fit": settings(fit, "--fit"),
        "train": settings(train, "--train"),
    }


def _speed(
    options: ModelOptions, data: str | None, out: Path, *, limit: int | None, batch_size: int, rounds: int
) -> None:
    from unlearned.benchmarks.choices.speed import run_speed
    from unlearned.cli.progress import progress

    with progress() as shown, quiet():
        found = run_speed(options, data, out, limit=limit, batch_size=batch_size, rounds=rounds, on_progress=shown)
    ours, theirs = (found["per_second"][name] for name in ("unlearned", "lm-eval"))
    typer.echo(
        f"{found['questions']} questions, batches of {batch_size}: {ours:.2f} questions/s, lm-eval {theirs:.2f}; "
        f"ratio {found['ratio']:.2f} (processor time {found['ratio_of_processor_time']:.2f})"
    )
    others = found["subjects_with_other_accuracy"]
    typer.echo(
        f"Other answers: {found['other_answers']}; subjects with another accuracy: {len(others)} of {found['subjects']}"
    )
    typer.echo(f"Written: {out / 'speed.json'}")
