"""`unlearned report`: a run as a page and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished benchmark.")],
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="Of `bench tofu`: folder of a further run, for its rows and marks; give it again for more."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML file, with .md and .tex tables beside it; default: in RUN.")
    ] = None,
) -> None:
    """Write a benchmark's results as one HTML page, with its tables as Markdown and LaTeX."""
    from unlearned.cli.console import console as make_console
    from unlearned.cli.options import status
    from unlearned.errors import ConfigError
    from unlearned.report import outcome, tables
    from unlearned.report.detection import is_detection, verdict, write_detection_report
    from unlearned.report.formats import as_rich
    from unlearned.report.outcome import has_common_form, write_outcome_report
    from unlearned.report.write import write_report

    common, detection = has_common_form(run), is_detection(run)
    if (common or detection) and compare:
        raise ConfigError("--compare is for runs of `bench tofu`.")
    if detection:
        if out is not None:
            raise ConfigError("--out is not for runs of `bench classifier`, whose report is Markdown in RUN.")
        found = write_detection_report(run)
        typer.echo(f"{verdict(found.row)}\nWritten: {run / 'results.md'}")
        return
    with status("Writing the report"):
        written = write_outcome_report(run, out=out) if common else write_report(run, compare or (), out=out)
    console = make_console(log_width=200)
    console.print(as_rich(written.main))
    console.print(outcome.RULE if common else tables.RULE, style="dim")
    for file in (written.html, written.markdown, written.latex):
        typer.echo(f"Written: {file}")
