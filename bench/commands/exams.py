"""`python -m bench exams`: how fast lettered options are scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.benchmarks.choices.config import ChoicesRunConfig
from unlearned.cli.configs import Chosen, Only, with_settings
from unlearned.cli.options import quiet
from unlearned.models import ModelOptions


@with_settings
def exams(
    config: Annotated[Chosen[ChoicesRunConfig], Only("limit", "batch_size")],
    options: ModelOptions,
    data: Annotated[
        str | None, typer.Option(help="Folder with dev and test (.jsonl, .json, .csv), or a hub name (cais/mmlu).")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Passes of each side over the questions.")] = 3,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path("runs/mmlu"),
) -> None:
    """Compare the speed of scoring MMLU's letters with lm-eval's own model, on all subjects."""
    from bench.exams.run import run_speed
    from unlearned.cli.progress import progress

    limit, batch_size = config["limit"], config["batch_size"]
    with progress() as shown, quiet():
        found = run_speed(options, data, out, limit=limit, batch_size=batch_size, rounds=rounds, on_progress=shown)
    ours, theirs = (found["per_second"][name] for name in ("unlearned", "lm-eval"))
    typer.echo(
        f"{found['questions']} questions, batches of {batch_size}: {ours:.2f} questions/s, lm-eval {theirs:.2f}; "
        f"ratio {found['ratio']:.2f} (processor time {found['ratio_of_processor_time']:.2f})"
    )
    others = found["subjects_with_other_accuracy"]
    typer.echo(
        f"Other answers: {found['other_answers']}; subjects with another accuracy: {len(others)} of {found['subjects']}"
    )
    typer.echo(f"Written: {out / 'speed.json'}")
