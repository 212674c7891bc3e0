"""`unlearned bench subjects`: what `forget` finds of a subject from its name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import load, quiet
from unlearned.models import ModelOptions
from unlearned.settings import DATA


@with_settings
def subjects(
    options: ModelOptions,
    unrelated: Annotated[
        Path | None, typer.Option(help="Further prompts that are about none of the subjects, JSONL or CSV.")
    ] = None,
    learn_strength: Annotated[
        bool, typer.Option("--learn-strength", help="Also learn the strength, as `forget` does: its seconds count.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="TOFU, as for `bench tofu`: its last authors, on a model that knows them.")
    ] = None,
    authors: Annotated[int, typer.Option(min=2, help="Authors of TOFU.", rich_help_panel=DATA)] = 20,
    most: Annotated[
        int | None, typer.Option(min=1, help="Subjects for which artifacts are made; default: all.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file.")] = Path("runs/subjects.json"),
) -> None:
    """Make artifacts of packaged subjects, or of authors, from their names, and count what else they flag."""
    import json
    from dataclasses import asdict

    from unlearned.benchmarks.subjects.run import as_markdown, measure_subjects
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.examples import read_rows
    from unlearned.files import write_text

    further = [] if unrelated is None else [row.prompt for row in read_rows(unrelated)]
    out.parent.mkdir(parents=True, exist_ok=True)
    check_writable(out)
    chosen = None
    if data is not None:
        from unlearned.benchmarks.subjects.authors import tofu_authors

        chosen = tofu_authors(data, authors)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        rows = measure_subjects(
            model,
            tokenizer,
            subjects=chosen,
            most=most,
            unrelated=further,
            learn_strength=learn_strength,
            on_progress=report,
        )
    write_text(out, json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n")
    typer.echo(as_markdown(rows))
