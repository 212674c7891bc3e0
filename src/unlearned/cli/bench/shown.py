"""What is said at the end of a benchmark, and `bench merge`, which ends one that was split up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def show(out: Path, *, report: bool = True) -> None:
    """Print the main table of a finished run; write its report, too.

    Args:
        out: folder of the run.
        report: whether to write it; it needs the extra `report`.
    """
    from unlearned.benchmarks.results import read_results
    from unlearned.cli.console import console as make_console
    from unlearned.report.formats import as_rich
    from unlearned.report.outcome import RULE, tables, write_outcome_report

    written = write_outcome_report(out) if report else None
    console = make_console(log_width=200)
    console.print(as_rich(tables(read_results(out))[0]))
    console.print(RULE, style="dim")
    typer.echo(f"Written to {out}: results.json, items")
    if written is not None:
        for file in (written.html, written.markdown, written.latex):
            typer.echo(f"Written: {file}")


def merge(
    out: Annotated[Path, typer.Argument(help="Folder of the whole.")],
    shards: Annotated[list[Path], typer.Argument(help="Folders of all shards of one run.")],
    report: Annotated[bool, typer.Option(help="Write the report, too; it needs the extra 'report'.")] = True,
) -> None:
    """Put together what `--shard i/n` split over machines."""
    from unlearned.benchmarks.results import merge as put_together

    put_together(shards, out)
    show(out, report=report)
