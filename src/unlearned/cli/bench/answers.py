"""`unlearned bench`: what is said that nobody asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import load, quiet
from unlearned.models import ModelOptions


@with_settings
def answers(
    options: ModelOptions,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="JSON file of the results; all answers lie in a folder beside it.")
    ] = Path("runs/answers.json"),
    scope: Annotated[
        str | None, typer.Option(help="Concept of the demo: harry-potter or star-wars; default: both.")
    ] = None,
    prompts: Annotated[
        int | None, typer.Option(min=1, help="Most indirect prompts of each scope; default: all.")
    ] = None,
    general: Annotated[int, typer.Option(min=1, help="Most general prompts, whose answers should not change.")] = 100,
    samples: Annotated[int, typer.Option(min=0, help="Answers at temperature 1 to each; 0 = one greedy answer.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 96,
    content: Annotated[bool, typer.Option("--content", help="Also with the policy names+quotes+content.")] = False,
) -> None:
    """Prompts that lead to a scope without naming it: names and facts said, and general answers that changed."""
    import json
    from dataclasses import asdict

    from unlearned.benchmarks.answers.run import AnswersConfig, as_markdown, measure_answers
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.demo.concepts import CONCEPTS
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    if scope is not None and scope not in CONCEPTS:
        raise ConfigError(f"There is no concept {scope!r}. The concepts are: {', '.join(CONCEPTS)}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    check_writable(out)
    config = AnswersConfig(
        scopes=tuple(CONCEPTS) if scope is None else (scope,),
        prompts=prompts,
        general=general,
        samples=samples,
        max_new_tokens=max_new_tokens,
        content=content,
    )
    kept = out.with_name(f"{out.stem}.parts")
    kept.mkdir(exist_ok=True)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        rows = measure_answers(
            model, tokenizer, config, kept, on_progress=report, tell=lambda line: typer.echo(line, err=True)
        )
    write_text(out, json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    typer.echo(as_markdown(rows))
