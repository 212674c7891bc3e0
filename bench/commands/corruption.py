"""`python -m bench strength` and `corruptions`: what corrupting does, and how its strength is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import load, names, quiet
from unlearned.models import ModelOptions


@with_settings
def strength(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    parts: Annotated[str, typer.Option(help="Of cost, transfer, leaks, search.")] = "cost,transfer,leaks,search",
    points: Annotated[int, typer.Option(min=3, help="Of the grid that optimisers are measured against.")] = 200,
    examples: Annotated[int, typer.Option(min=2, help="Forget prompts per scope in the search part.")] = 8,
    start: Annotated[str | None, typer.Option(help="Adapter that saw TOFU's forget01, to judge surrogates by.")] = None,
    retained: Annotated[str | None, typer.Option(help="Adapter that saw all that --start saw but forget01.")] = None,
    tofu: Annotated[Path, typer.Option(help="Folder of TOFU's splits, with --start and --retained.")] = Path("tofu"),
) -> None:
    """How a strength is learned: wall time, evaluations against a grid, transfer to other scopes, leaks."""
    import json
    from dataclasses import asdict

    from bench.strength.run import PARTS, measure_strength
    from bench.strength.surrogates import measure_surrogates
    from bench.strength.tables import as_markdown
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    if unknown := [name for name in names(parts) if name not in PARTS]:
        raise ConfigError(f"There is no part {unknown[0]!r}. The parts are: {', '.join(PARTS)}.")
    if (start is None) != (retained is None):
        raise ConfigError("Give both --start and --retained, or neither.")
    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        results = measure_strength(
            model, tokenizer, parts=names(parts), points=points, examples=examples, on_progress=report
        )
        if start is not None and retained is not None:
            found = measure_surrogates(options, start, retained, tofu, report)
            results["surrogates"] = [asdict(row) for row in found]
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    typer.echo(as_markdown(results))


@with_settings
def corruption_table(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Markdown file of the table.")] = None,
    scope: Annotated[str, typer.Option(help="Concept of the demo: harry-potter or star-wars.")] = "harry-potter",
    functions: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
) -> None:
    """What every corruption function does to forget answers, to fluency, and to the words it hides."""
    from datetime import datetime, timezone

    from bench.corruptions.run import as_markdown, leaks_plot, measure_corruptions, verdict
    from bench.corruptions.run import report as report_of
    from unlearned.artifact.fingerprint import base_model_record
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.corrupt.functions import corruptions
    from unlearned.demo.concepts import CONCEPTS
    from unlearned.engines.transformers import TransformersEngine
    from unlearned.errors import ConfigError, MissingExtraError
    from unlearned.files import write_text

    if scope not in CONCEPTS:
        raise ConfigError(f"There is no concept {scope!r}. The concepts are: {', '.join(CONCEPTS)}.")
    chosen = names(functions) if functions else None
    for name in chosen or ():
        corruptions.get(name)
    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        record = base_model_record(TransformersEngine(model, tokenizer))
        rows = measure_corruptions(model, tokenizer, record, concept=scope, functions=chosen, on_progress=report)
    if out is not None:
        at = datetime.now(timezone.utc).date().isoformat()
        text = report_of(rows, model=f"{options.model} ({str(model.dtype).removeprefix('torch.')})", scope=scope, at=at)
        try:
            write_text(out.with_suffix(".svg"), leaks_plot(rows))
            text += f"\n![Leaks against perplexity]({out.with_suffix('.svg').name})\n"
        except MissingExtraError:  # the numbers are in the table
            pass
        write_text(out, text)
    typer.echo(as_markdown(rows))
    typer.echo(verdict(rows))
