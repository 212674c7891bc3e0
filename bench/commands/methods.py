"""`python -m bench methods`: what a training step of each method costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import AnswerColumn, PromptColumn, names, quiet
from unlearned.models import ModelOptions


@with_settings
def method_costs(
    options: ModelOptions,
    forget: Annotated[Path | None, typer.Option(help="Rows with answers; default: a concept of the demo.")] = None,
    retain: Annotated[Path | None, typer.Option(help="The same; default: another concept of the demo.")] = None,
    methods: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    steps: Annotated[int, typer.Option(min=1, help="Pairs of steps of each method.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Items of each set in a step.")] = 4,
    lora: Annotated[bool, typer.Option(help="Train an adapter; else all weights.")] = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
) -> None:
    """What a step of each method costs, against plain fine-tuning on the same tokens in the same run."""
    import json
    from functools import partial

    from rich.table import Table

    from bench.methods.run import ALLOWED, measure_methods
    from unlearned.cli.console import console as make_console
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.demo.concepts import CONCEPTS, Concept
    from unlearned.examples import read_rows
    from unlearned.files import write_text
    from unlearned.models import load_model

    check_writable(out)
    mine, other = (
        Concept(concept).forget
        if file is None
        else read_rows(file, prompt_column=prompt_column, answer_column=answer_column)
        for concept, file in zip(CONCEPTS, (forget, retain), strict=False)
    )
    with progress() as report, quiet():
        found = measure_methods(
            partial(load_model, options),
            mine,
            other,
            names=None if methods is None else names(methods),
            steps=steps,
            batch_size=batch_size,
            lora=lora,
            on_progress=report,
        )
    if out is not None:
        write_text(out, json.dumps(found, indent=2) + "\n")
    table = Table(title=f"{options.model} on {found['machine']}", title_justify="left")
    for column in ("method", "tokens", "s per step", "plain", "ratio", "its passes explain", f"within {ALLOWED} x"):
        table.add_column(column)
    for row in found["rows"]:
        table.add_row(
            row["method"],
            str(row["tokens"]),
            f"{row['seconds']:.2f}",
            f"{row['plain_seconds']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['explained']:.2f}",
            "yes" if row["within"] else "no",
        )
    make_console().print(table)
