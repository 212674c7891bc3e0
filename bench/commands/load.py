"""`python -m bench load`: whether a server stands many clients."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from bench.serving.config import LoadConfig
from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import Artifacts, PromptColumn, quiet
from unlearned.models import ModelOptions


@with_settings
def load(
    settings: Chosen[LoadConfig],
    options: ModelOptions,
    artifact: Artifacts = None,
    forget: Annotated[
        Path | None, typer.Option(help="Prompts that the artifacts flag; with --artifact. Default: of the demo.")
    ] = None,
    prompt_column: PromptColumn = None,
    engine: Annotated[str, typer.Option(help="transformers or vllm.")] = "transformers",
    plain: Annotated[
        bool, typer.Option("--plain", help="With --engine vllm: the same load on vLLM without artifacts, too.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(help="A further argument of `unlearned serve`: --option=--max-batch=8"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
) -> None:
    """Load a real server: some clients leave early, some send nonsense; exit status 1 if an answer was wrong."""
    import json
    import tempfile

    from bench.serving.load import measure_load
    from bench.serving.process import ServerProcess, VllmProcess
    from unlearned.cli.options import load as load_model
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.cli.serve_vllm import model_arguments
    from unlearned.demo.concepts import CONCEPTS, Concept
    from unlearned.errors import ConfigError
    from unlearned.examples import background_prompts, read_rows
    from unlearned.files import write_text

    config = settings.make()
    if (artifact is None) != (forget is None):
        raise ConfigError("Give --artifact and --forget together, or neither: then a concept of the demo is forgotten.")
    if plain and engine != "vllm":
        raise ConfigError("--plain compares with vLLM's own server. Use it with --engine vllm.")
    check_writable(out)
    with tempfile.TemporaryDirectory() as scratch:
        folders = list(artifact or ())
        if forget is None:
            from bench.serving.run import fitted

            model, tokenizer = load_model(options)
            with quiet():
                folders = [fitted(model, tokenizer, Path(scratch) / "artifact")]
            del model, tokenizer
            prompts = [row.prompt for row in Concept(CONCEPTS[0]).forget]
        else:
            prompts = [row.prompt for row in read_rows(forget, prompt_column=prompt_column)]
        arguments = [*_arguments(options), *(part for folder in folders for part in ("--artifact", str(folder)))]
        arguments += ["--engine", engine, "--served-model-name", "bench", *(option or ())]
        server = ServerProcess(arguments, Path(scratch))
        stock = None
        if plain:
            path, *of_model = model_arguments(options)
            stock = VllmProcess(path, [*of_model, *(option or ())], Path(scratch) / "plain.log")
        with progress() as report:
            found = measure_load(
                server, prompts[:24], background_prompts()[:48], config, plain=stock, on_progress=report
            )
    if out is not None:
        write_text(out, json.dumps(found, indent=2) + "\n")
    typer.echo(
        f"{config.clients} clients, {config.seconds:g} s: {found['answered']} answered as on a quiet server "
        f"({found['differing']} with another text), {found['left']} left early, {found['refused']} refused as they "
        f"should be, {found['connection_errors']} connection errors"
    )
    memory = found["memory_mb"]
    typer.echo(
        f"memory: {memory['second_tenth']} MB at first, {memory['last_tenth']} MB at last, most {memory['most']} MB"
    )
    if plain:
        own = found["plain"]
        typer.echo(
            f"vLLM without artifacts: {own['alone_as_ours']} of {own['alone']} clean answers the same one at a time; "
            f"under load {own['differing']} of {own['answered']} with another text than alone"
        )
    for line in found["wrong"]:
        typer.echo(f"WRONG: {line}")
    if found["wrong_count"]:
        raise typer.Exit(1)


def _arguments(options: ModelOptions) -> list[str]:
    """The options of the command line that give these."""
    found: list[str] = []
    for field in fields(options):
        value, flag = getattr(options, field.name), f"--{field.name.replace('_', '-')}"
        if value is True:
            found.append(flag)
        elif value != field.default and value is not None:
            found += [flag, str(value)]
    return found
