"""`python -m bench gpu`: what enforcing costs on a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import quiet


def gpu(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSON file of the results; the table lies beside it, as .md.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="After these, nothing more is begun.")] = 8.0,
    repeats: Annotated[int | None, typer.Option(min=2, help="Pairs per ratio; 3, with --tiny 2.")] = None,
    new_tokens: Annotated[int | None, typer.Option(min=2, help="Tokens of every answer; 32, with --tiny 4.")] = None,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Try all of it on the CPU, with tiny models; the numbers mean nothing.")
    ] = False,
) -> None:
    """Throughput, first token, detection and memory on a GPU, for Llama shapes of 1B and 8B with random weights."""
    import json
    import time

    ends = time.monotonic() + 60 * minutes
    import torch

    from bench.gpu.models import SHAPES, TINY
    from bench.gpu.run import as_markdown, measure_gpu
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    check_writable(out)
    if out is not None and out.suffix == ".md":
        raise ConfigError(f"--out {out}: give the JSON file, for example {out.with_suffix('.json')}.")
    if not tiny and not torch.cuda.is_available():
        typer.echo("There is no GPU here, so nothing was measured. --tiny tries the measurement on the CPU.")
        return

    def keep(results: dict[str, object]) -> None:
        if out is not None:
            write_text(out, json.dumps(results, indent=2) + "\n")
            write_text(out.with_suffix(".md"), as_markdown(results))

    with progress() as report, quiet():
        results = measure_gpu(
            torch.device("cpu") if tiny else torch.device("cuda", 0),
            TINY if tiny else SHAPES,
            ends=ends,
            repeats=repeats or (2 if tiny else 3),
            new_tokens=new_tokens or (4 if tiny else 32),
            quick=tiny,
            keep=keep,
            on_progress=report,
        )
    typer.echo(as_markdown(results))
    if results["failed"]:
        raise typer.Exit(1)
