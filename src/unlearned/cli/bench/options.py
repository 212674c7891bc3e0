"""Options that the benchmarks share, and how each of them runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import quiet

Shard = Annotated[str | None, typer.Option(help="i/n: ask only the i-th of n parts; `bench merge` joins them.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the results; finished steps in it are kept.")]
Report = Annotated[bool, typer.Option(help="Write the report, too; it needs the extra 'report'.")]


def run_and_show(run: Callable[..., object], out: Path, *, shard: str | None, report: bool) -> None:
    """Run a benchmark that takes `shard`, `on_progress` and `tell`, and print its main table.

    Args:
        run: writes its outcome into `out`.
        out: folder of the run.
        shard: i/n as the user gave it.
        report: whether to write the report, too.
    """
    from unlearned.benchmarks.results import shard_of
    from unlearned.cli.bench.shown import show
    from unlearned.cli.progress import progress
    from unlearned.extras import require

    if report:
        require("jinja2", extra="report", purpose="The report")  # now, and not after an hour
    part = shard_of(shard)
    with progress() as shown, quiet():
        run(shard=part, on_progress=shown, tell=lambda line: typer.echo(line, err=True))
    show(out, report=report)
