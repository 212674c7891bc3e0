"""`unlearned bench classifier`: how well prompts of a scope are found, and only they."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from unlearned.benchmarks.classifier.config import BenchmarkConfig
from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import quiet


@with_settings
def classifier(
    config: Chosen[BenchmarkConfig],
    data: Annotated[
        Path | None, typer.Option(help="Folder with tofu/, mmlu/ and sst2/; default: that of UNLEARNED_DATA.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished rows in it are kept.")
    ] = Path("runs/classifier"),
) -> None:
    """How well prompts of a forget scope are found, and only they: TOFU, MMLU subsets, disguises, latency."""
    from unlearned.benchmarks.classifier.run import measure_classifiers
    from unlearned.benchmarks.classifier.sets import Data, data_folder
    from unlearned.cli.console import console as make_console
    from unlearned.cli.progress import progress
    from unlearned.cli.table import Table
    from unlearned.report.detection import write_detection_report, yes_or_no

    chosen = config.make()
    folder = Data(data_folder(data))
    with progress() as report, quiet():
        found = measure_classifiers(
            folder,
            out,
            chosen,
            on_progress=report,
            tell=lambda line: typer.echo(line, err=True),
            on_row=partial(write_detection_report, out),
        )
    console = make_console(log_width=150)
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "classifier", "errors", "rate (95 % interval)", "target", "met"):
        table.add_column(column)
    for measure in (measure for row in found for measure in row.measures):
        low, high = measure.interval
        table.add_row(
            measure.name,
            measure.classifier,
            f"{measure.errors}/{measure.count}",
            f"{100 * measure.rate:.2f} % ({100 * low:.2f} to {100 * high:.2f})",
            measure.target,
            yes_or_no(measure.met).strip("*"),
        )
    for ratio in (ratio for row in found for ratio in row.ratios):
        low, high = ratio.quartiles
        table.add_row(
            f"latency, {ratio.name}",
            ratio.classifier,
            f"{ratio.milliseconds:.3g} ms",
            f"{ratio.ratio:.2f} x (quartiles {low:.2f} to {high:.2f})",
            f"at most {ratio.target:g} x",
            yes_or_no(ratio.met).strip("*"),
        )
    console.print(table)
    console.print(f"Written to {out}: results.md, results.json")
