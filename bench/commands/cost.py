"""`python -m bench speed` and `serve`: what enforcing and serving cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import ScopeArtifacts, load, names, quiet
from unlearned.models import ModelOptions


@with_settings
def speed(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    repeats: Annotated[int, typer.Option(min=2, help="Pairs per ratio.")] = 5,
) -> None:
    """What enforcing an artifact costs: throughput, detection, fit time."""
    import json

    from rich.table import Table

    from bench.speed.run import measure_speed
    from unlearned.cli.console import console as make_console
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.files import write_text

    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        results = measure_speed(model, tokenizer, repeats=repeats, on_progress=report)
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    console = make_console()
    table = Table(title=f"{results['model']} on {results['machine']}", title_justify="left")
    for column in ("measure", "ratio (quartiles)", "target", "ours", "baseline"):
        table.add_column(column)
    for row in results["ratios"]:
        table.add_row(
            row["name"],
            f"{row['median']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
            row["target"],
            f"{row['ours']:.3g} {row['unit']}",
            f"{row['theirs']:.3g} ({row['baseline']})",
        )
    console.print(table)
    for row in results["fit"]:
        phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in row["phases"].items())
        console.print(
            f"fit, {row['forget_prompts']} forget prompts: {row['seconds']:.1f} s ({phases}); "
            f"peak memory of the process {row['peak_memory_mb']:.0f} MB"
        )


@with_settings
def serving(
    options: ModelOptions,
    artifact: ScopeArtifacts = None,
    engine: Annotated[str, typer.Option(help="What runs the model: transformers or vllm.")] = "transformers",
    vllm_options: Annotated[
        str, typer.Option(help="Options of vllm serve, as one text; for example '--enforce-eager'.")
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    clients: Annotated[
        str | None, typer.Option(help="How many ask at once, separated by commas; default: 1,8,32, with vLLM 32.")
    ] = None,
    new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Requests of each client in one turn.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs per measure.")] = 3,
) -> None:
    """What serving costs, in turn and in one run: against model.generate, or on vLLM against vLLM without artifacts."""
    import json
    import shlex
    import tempfile

    from bench.serving.run import fitted, measure_serving
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    numbers = names(clients or ("32" if engine == "vllm" else "1,8,32"))
    if not numbers or not all(name.isdecimal() and int(name) > 0 for name in numbers):
        raise ConfigError(f"--clients {clients}: give numbers separated by commas, for example 1,8,32.")
    if engine not in ("transformers", "vllm"):
        raise ConfigError(f"There is no engine {engine!r}. Use --engine transformers or --engine vllm.")
    if engine == "vllm" and len(numbers) > 1:
        raise ConfigError(f"--clients {clients}: with --engine vllm give one number.")
    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet(), tempfile.TemporaryDirectory() as scratch:
        if engine == "vllm":
            from bench.serving.vllm import measure_vllm
            from unlearned.cli.serve_vllm import model_arguments

            path, *of_model = model_arguments(options)
            folders = list(artifact or ()) or [fitted(model, tokenizer, Path(scratch) / "artifact")]
            del model, tokenizer
            results = measure_vllm(
                path,
                folders,
                options=[*of_model, *shlex.split(vllm_options)],
                clients=int(numbers[0]),
                new_tokens=new_tokens,
                rounds=rounds,
                repeats=repeats,
                on_progress=report,
            )
        else:
            results = measure_serving(
                model,
                tokenizer,
                artifacts=artifact or (),
                clients=[int(name) for name in numbers],
                new_tokens=new_tokens,
                rounds=rounds,
                repeats=repeats,
                on_progress=report,
            )
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    _show(results)


def _show(results: dict[str, Any]) -> None:
    from rich.table import Table

    from unlearned.cli.console import console as make_console

    table = Table(title=f"{results['model']} on {results['machine']}", title_justify="left")
    for column in ("measure", "server", "plain", "ratio (smallest to largest)"):
        table.add_column(column)
    for row in results["rows"]:
        table.add_row(
            row["name"],
            f"{row['server']:.4g} {row['unit']}",
            f"{row['plain']:.4g} {row['unit']}",
            f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
        )
    make_console().print(table)
