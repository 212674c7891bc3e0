"""`unlearned bench`: how well prompts of a scope are found, and only they."""

from __future__ import annotations

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
    from rich.table import Table

    from unlearned.benchmarks.classifier.results import yes_or_no
    from unlearned.benchmarks.classifier.run import measure_classifiers
    from unlearned.benchmarks.classifier.sets import Data, data_folder
    from unlearned.cli.console import console as make_console
    from unlearned.cli.progress import progress

    chosen = config.make()
    folder = Data(data_folder(data))
    with progress() as report, quiet():
        found = measure_classifiers(folder, out, chosen, on_progress=report)
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


def index(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Made-up vectors.")] = 1_000_000,
) -> None:
    """Search among very many examples: build time, milliseconds per query, recall; time to enrol 400 prompts."""
    import json
    from dataclasses import asdict

    from unlearned.benchmarks.index.run import measure_enrolment, measure_index
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.files import write_text

    check_writable(out)
    with progress() as report, quiet():
        found, enrolment = measure_index(count, on_progress=report), measure_enrolment()
    if out is not None:
        write_text(out, json.dumps({"index": asdict(found), "enrolment": asdict(enrolment)}, indent=2) + "\n")
    typer.echo(
        f"{found.count} x {found.width}: built in {found.build_seconds:.0f} s; "
        f"vectors {found.vectors_mb:.0f} MB, index {found.index_mb:.0f} MB"
    )
    for search in found.searches:
        typer.echo(
            f"{search.side}: median {search.median_ms:.1f} ms, p95 {search.p95_ms:.1f} ms, "
            f"recall@1 {search.recall:.3f} above the floor ({search.recall_all:.3f} of all)"
        )
    typer.echo(f"enrolling {enrolment.prompts} prompts: {enrolment.seconds:.1f} s")
