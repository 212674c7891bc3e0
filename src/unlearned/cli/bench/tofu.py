"""`unlearned bench tofu` and `bench verify`: from fine-tuning to the comparison, and whether its numbers hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.benchmarks.tofu.config import EvaluationConfig, TofuRunConfig, TofuSplit
from unlearned.cli.bench.options import Out, Report
from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import quiet, status
from unlearned.models import ModelOptions


@with_settings
def tofu(
    split: Chosen[TofuSplit],
    config: Chosen[TofuRunConfig],
    evaluation: Chosen[EvaluationConfig],
    options: ModelOptions,
    out: Out = Path("runs/tofu"),
    report: Report = True,
) -> None:
    """TOFU from fine-tuning to the comparison: start, retained and unlearned models on four sets and more."""
    from unlearned.benchmarks.tofu.run import run_tofu
    from unlearned.cli.console import console as make_console
    from unlearned.cli.progress import progress
    from unlearned.extras import require
    from unlearned.report.formats import as_rich
    from unlearned.report.read import read_run
    from unlearned.report.tables import RULE, main_table
    from unlearned.report.write import write_report

    if report:
        for module in ("jinja2", "matplotlib"):  # now, and not after an hour
            require(module, extra="report", purpose="The report")
    chosen = config.make(model=options, split=split.make(), evaluation=evaluation.make())
    with progress() as shown, quiet():
        results = run_tofu(chosen, out, on_progress=shown, tell=lambda line: typer.echo(line, err=True))
    console = make_console(log_width=200)
    console.print(as_rich(main_table([read_run(out)])))
    console.print(RULE, style="dim")
    if (speed := results["speed"]) is not None:
        console.print(
            f"Scoring: {speed['ratio']:.1f} x as fast as one answer at a time, "
            f"largest difference {speed['largest_difference']:.1e} ({speed['answers']} answers, float32)"
        )
    console.print(f"Written to {out}: results.json, logs, artifacts; {results['seconds']['all']:.0f} s")
    if report:
        with status("Writing the report"):
            written = write_report(out)
        for file in (written.html, written.markdown, written.latex):
            typer.echo(f"Written: {file}")


SHOWN = 12
"""Differences."""


def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a run of `bench tofu`.")],
    sample: Annotated[
        int, typer.Option(min=0, help="Items that are computed anew with the models; 0 = none, in seconds.")
    ] = 8,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    tolerance: Annotated[float, typer.Option(min=0, help="Largest difference of a loss or a score.")] = 0.02,
) -> None:
    """Whether the numbers of a run hold; exit status 1 if one does not.

    Every number is computed anew from the run's items, then a sample of items from data, models and artifacts.
    """
    from unlearned.benchmarks.tofu.verify import verify as compute_again
    from unlearned.cli.progress import progress

    with progress() as report, quiet():
        found = compute_again(run, sample=sample, seed=seed, tolerance=tolerance, on_progress=report)
    again, checks = found.recomputed, found.checks
    for difference in again.differences[:SHOWN]:
        typer.echo(f"DIFFERS: {difference}")
    if len(again.differences) > SHOWN:
        typer.echo(f"... and {len(again.differences) - SHOWN} more; see verified.json.")
    for check in checks:
        typer.echo(
            f"{'holds' if check.holds else 'DIFFERS'}: {check.model}, {check.set}, {check.id}: "
            f"largest difference {check.largest_difference:.2e}"
        )
    held = again.numbers - len(again.differences)
    typer.echo(f"{held} of {again.numbers} numbers follow from the run's items.")
    if checks:
        items = sum(check.holds for check in checks)
        typer.echo(f"{items} of {len(checks)} items came out again with the models.")
    else:
        typer.echo("No item was computed anew with the models (--sample 0): whether they are true was not tried.")
    if not found.holds:
        raise typer.Exit(1)
