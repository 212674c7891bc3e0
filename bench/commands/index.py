"""`python -m bench index`: search among very many examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import quiet


def index(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Made-up vectors.")] = 1_000_000,
) -> None:
    """Search among very many examples: build time, milliseconds per query, recall; time to enrol 400 prompts."""
    import json
    from dataclasses import asdict

    from bench.index.run import measure_enrolment, measure_index
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
    typer.echo(
        f"one query: median {found.search.median_ms:.1f} ms, p95 {found.search.p95_ms:.1f} ms, "
        f"recall@1 {found.search.recall:.3f} above the floor ({found.search.recall_all:.3f} of all)"
    )
    typer.echo(f"enrolling {enrolment.prompts} prompts: {enrolment.seconds:.1f} s")
