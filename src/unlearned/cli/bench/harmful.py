"""`unlearned bench harmful`: answers that a model should no longer give."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.bench.options import Fit, Out, Report, Seeds, Shard, Train, Unlearners, run_and_show
from unlearned.cli.configs import with_settings
from unlearned.cli.options import names
from unlearned.models import ModelOptions


@with_settings
def harmful(
    options: ModelOptions,
    data: Annotated[
        str | None,
        typer.Option(
            help="Rows to forget, with PKU-SafeRLHF's columns: a file, a folder with train (and test), or "
            "PKU-Alignment/PKU-SafeRLHF. Default: a harmless stand-in that ships with the package."
        ),
    ] = None,
    normal: Annotated[
        str | None,
        typer.Option(
            help="Normal questions, with TruthfulQA's columns: a file, a folder, or truthfulqa/truthful_qa; "
            "needed with --data."
        ),
    ] = None,
    harm_classifier: Annotated[
        str | None,
        typer.Option(
            help="Sequence classifier that tells harmful answers: hub name or folder. Default: none, and only the "
            "leak of the known answers is measured."
        ),
    ] = None,
    harm_label: Annotated[str | None, typer.Option(help="Its label that means harm: name or index.")] = None,
    harm_pairs: Annotated[
        bool, typer.Option("--harm-pairs", help="It reads question and answer; by default the answer alone.")
    ] = False,
    forget_rows: Annotated[
        int | None, typer.Option(min=2, help="Most prompts to forget that are trained with.")
    ] = None,
    normal_rows: Annotated[int | None, typer.Option(min=2, help="Most normal questions that are trained with.")] = None,
    test_rows: Annotated[int | None, typer.Option(min=2, help="Most prompts of each set that are asked.")] = None,
    correct_answers: Annotated[
        bool, typer.Option("--correct-answers", help="Train with all correct answers of a question, too: SKU's way.")
    ] = False,
    data_seed: Annotated[int, typer.Option(help="Of the division into training and test rows.")] = 8888,
    unlearners: Unlearners = "prompting,eco,llmu,sku,ga",
    seeds: Seeds = 1,
    epochs: Annotated[
        int | None,
        typer.Option(min=0, help="Of teaching the model all answers first. Default: 10 for the stand-in, else 0."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Of the same.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="Of the same.")] = 1e-3,
    max_tokens: Annotated[int, typer.Option(min=32, help="Of question and answer in training.")] = 512,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 64,
    fit: Fit = None,
    train: Train = None,
    shard: Shard = None,
    out: Out = Path("runs/harmful"),
    report: Report = True,
) -> None:
    """Harmful answers (LLMU's and SKU's set-up): how many are still given to prompts that nobody trained with."""
    from unlearned.benchmarks.harmful.data import HarmfulSplit
    from unlearned.benchmarks.harmful.run import HarmfulRunConfig, run_harmful
    from unlearned.cli.settings import settings

    config = HarmfulRunConfig(
        data=data,
        normal=normal,
        model=options,
        split=HarmfulSplit(
            forget_rows=forget_rows,
            normal_rows=normal_rows,
            test_rows=test_rows,
            correct_answers=correct_answers,
            seed=data_seed,
        ),
        unlearners=names(unlearners),
        seeds=seeds,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_tokens=max_tokens,
        max_new_tokens=max_new_tokens,
        judge=harm_classifier,
        label=harm_label,
        pairs=harm_pairs,
        fit=settings(fit, "--fit"),
        train=settings(train, "--train"),
    )
    run_and_show(partial(run_harmful, config, out), out, shard=shard, report=report)
