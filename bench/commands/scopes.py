"""`python -m bench scopes`: what many scopes cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import quiet


def scopes(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Scopes in force; also a tenth of them, and so on.")] = 1000,
    distinct: Annotated[int, typer.Option(min=1, help="Classifiers that are fitted.")] = 60,
    repeats: Annotated[int, typer.Option(min=2, help="Pairs per ratio.")] = 20,
) -> None:
    """What many scopes in force cost: each decision, the start, and the memory."""
    import json
    from dataclasses import asdict

    from bench.scopes.run import COUNTS, measure_scopes
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.files import write_text

    check_writable(out)
    counts = sorted({min(count, most) for count in COUNTS} | {most})
    with progress() as report, quiet():
        found = measure_scopes(counts, distinct=distinct, repeats=repeats, on_progress=report)
    if out is not None:
        write_text(out, json.dumps(asdict(found), indent=2) + "\n")
    typer.echo(f"{found.machine}: reading an artifact {found.load_ms:.0f} ms; peak {found.peak_memory_mb:.0f} MB")
    for cost in found.costs:
        ratios = ", ".join(
            f"{name} {ratio.ours:.1f} ms, {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) times one scope's"
            for name, ratio in (("about others", cost.others), ("in scope", cost.own), ("turn 20 of a chat", cost.turn))
        )
        typer.echo(f"{cost.scopes} scopes, ready after {cost.ready_seconds:.1f} s: {ratios}")
