"""`unlearned report`: a run as a page and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run of `bench tofu`.")],
    compare: Annotated[
        list[Path] | None, typer.Option(help="Folder of a further run, for its rows and marks; give it again for more.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML file, with .md and .tex tables beside it; default: in RUN.")
    ] = None,
) -> None:
    """Write a TOFU run as one HTML page, with its tables as Markdown and LaTeX."""
    from rich.console import Console

    from unlearned.cli.options import status
    from unlearned.report.formats import as_rich
    from unlearned.report.tables import RULE
    from unlearned.report.write import write_report

    with status("Writing the report"):
        written = write_report(run, compare or (), out=out)
    console = Console()
    console = console if console.is_terminal else Console(width=200)  # a log has room for whole lines
    console.print(as_rich(written.main))
    console.print(RULE, style="dim")
    for file in (written.html, written.markdown, written.latex):
        typer.echo(f"Written: {file}")
