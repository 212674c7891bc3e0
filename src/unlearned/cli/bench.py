"""`unlearned bench`: benchmarks, one subcommand each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import load, quiet, with_model_options
from unlearned.models import ModelOptions

bench = typer.Typer(help="Run a benchmark.", no_args_is_help=True)


@bench.callback()
def group() -> None:
    """Run a benchmark."""


@bench.command()
@with_model_options
def speed(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    repeats: Annotated[int, typer.Option(min=2, help="Pairs per ratio.")] = 5,
) -> None:
    """What enforcing an artifact costs: throughput, detection, fit time."""
    import json

    from rich.console import Console
    from rich.table import Table

    from unlearned.benchmarks.speed.run import measure_speed
    from unlearned.cli.output import check_writable, write_text
    from unlearned.cli.progress import progress

    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        results = measure_speed(model, tokenizer, repeats=repeats, on_progress=report)
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    console = Console()
    table = Table(title=f"{results['model']} on {results['machine']}", title_justify="left")
    for column in ("measure", "ratio (quartiles)", "target", "ours", "baseline"):
        table.add_column(column)
    for row in results["ratios"]:
        table.add_row(
            row["name"],
            f"{row['median']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
            row["target"],
            f"{row['ours']:.3g} {row['unit']}",
            f"{row['theirs']:.3g} ({row['baseline']})",
        )
    console.print(table)
    for row in results["fit"]:
        phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in row["phases"].items())
        console.print(
            f"fit, {row['forget_prompts']} forget prompts: {row['seconds']:.1f} s ({phases}); "
            f"peak memory of the process {row['peak_memory_mb']:.0f} MB"
        )
