"""`unlearned bench strangers`: whether anything of a stranger shows in sampled answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import ScopeArtifacts, load, quiet
from unlearned.models import ModelOptions


@with_settings
def strangers(
    options: ModelOptions,
    data: Annotated[Path, typer.Option(help="Questions about what the artifacts forget; the flagged ones are asked.")],
    artifact: ScopeArtifacts = None,
    answers: Annotated[int, typer.Option(min=1, help="Sampled, dealt out to the questions in turn.")] = 1000,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 48,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts per call.")] = 32,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file.")] = Path("runs/strangers.json"),
) -> None:
    """Sample answers to flagged questions, and count strangers that show and words turned back without cause."""
    import json
    from dataclasses import asdict

    from unlearned.api import Unlearned
    from unlearned.artifact import Artifact
    from unlearned.benchmarks.strangers.run import run_strangers
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.examples import read_rows
    from unlearned.files import write_text

    out.parent.mkdir(parents=True, exist_ok=True)
    check_writable(out)
    prompts = [row.prompt for row in read_rows(data)]
    artifacts = [Artifact.from_pretrained(folder) for folder in artifact or ()]
    model, tokenizer = load(options)
    llm = Unlearned(model, tokenizer, artifacts)
    with progress() as report, quiet():
        found = run_strangers(
            llm,
            prompts,
            answers=answers,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            seed=seed,
            report=report,
        )
    write_text(out, json.dumps(asdict(found), indent=2, ensure_ascii=False) + "\n")
    typer.echo(
        f"{found.answers} answers to {found.prompts} questions; in {found.with_strangers} a stranger was turned back. "
        f"{found.left_over} show a stranger, {found.misspelt} a word that reads like one. "
        f"In {found.by_itself} a stranger of another question came up by itself."
    )
    typer.echo(f"Written to {out}")
