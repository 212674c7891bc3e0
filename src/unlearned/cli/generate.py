"""`unlearned generate`: answer one prompt or a file of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from unlearned.cli import choices
from unlearned.cli.configs import with_settings
from unlearned.cli.options import (
    Artifacts,
    BatchSize,
    InstructionFolder,
    MaxNewTokens,
    PromptColumn,
    SoftPrompt,
    TrustedKeys,
    all_artifacts,
    load,
    quiet,
    status,
)
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS

if TYPE_CHECKING:
    from unlearned.api import Answer

    Answered: TypeAlias = tuple[int, list[Answer]]


@with_settings
def generate(
    options: ModelOptions,
    artifact: Artifacts = None,
    soft_prompt: SoftPrompt = None,
    instruction: InstructionFolder = None,
    trusted_keys: TrustedKeys = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="A prompt in place of the file; can be given again.")
    ] = None,
    input: Annotated[Path | None, typer.Option("--input", "-i", help="JSONL or CSV with prompt/question/text.")] = None,
    prompt_column: PromptColumn = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSONL file; default: the terminal.")] = None,
    max_new_tokens: MaxNewTokens = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0 = greedy.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Nucleus sampling.")] = 1.0,
    seed: Annotated[int, typer.Option(help="For sampling.", rich_help_panel=ANSWERS)] = 0,
    batch_size: BatchSize = 16,
    truncate: Annotated[
        str | None,
        typer.Option(
            help="What is left out of prompts that are longer than the model's context: left, right or middle. "
            "Default: they are refused."
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Do not put prompts into the chat template.")] = False,
) -> None:
    """Answer prompts with the artifacts enforced; with nothing to enforce, this is the original model."""
    from unlearned.cli.before import check_enforced
    from unlearned.cli.output import check_writable, folder_sha256, results
    from unlearned.errors import ConfigError
    from unlearned.examples import as_rows, read_rows

    if bool(prompt) == (input is not None):
        raise ConfigError("Give either --prompt or --input.")
    if truncate not in (None, *choices.SIDES):
        raise ConfigError(f"--truncate {truncate}: must be one of {', '.join(choices.SIDES)}.")
    check_writable(out)
    rows = read_rows(input, prompt_column=prompt_column) if input else as_rows(prompt or [], name="--prompt")
    folders = all_artifacts(artifact, soft_prompt, instruction)
    check_enforced(folders)

    from unlearned.api import Unlearned
    from unlearned.artifact import load as load_artifacts

    artifacts = load_artifacts(*folders, trusted_keys=trusted_keys)
    model, tokenizer = load(options)
    with quiet():
        llm = Unlearned(model, tokenizer, artifacts)
    generation = {
        "chat": False if raw else None,
        **({"truncate": truncate} if truncate else {}),
        "max_new_tokens": max_new_tokens,
        "batch_size": batch_size,
        **sampling(temperature, top_p, seed),
    }
    if len(prompt or ()) == 1 and out is None:
        with status("Answering"), quiet():
            answer = llm.generate([rows[0].prompt], **generation)[0]
        typer.echo(answer.text)
        return
    settings = generation | {
        "model": asdict(options),
        "seed": seed,
        "enforced": [folder_sha256(folder) for folder in folders],
    }
    inputs = [(index if row.id is None else row.id, row.prompt) for index, row in enumerate(rows)]
    with results(out, settings, inputs) as found, quiet():
        missing = found.missing
        with status(f"Answering {len(missing)} prompts"):
            answered = llm.generate_each([rows[index].prompt for index in missing], **generation)
            for place, answers in _naming(answered, [inputs[index][0] for index in missing], input):
                index = missing[place]
                row = {
                    **rows[index].extra,
                    "id": inputs[index][0],
                    "prompt": rows[index].prompt,
                    "answer": answers[0].text,
                    "flagged": answers[0].flagged,
                    "scope": answers[0].verdict.scope,
                    "unmatched_words": answers[0].verdict.unmatched_words,
                }
                found.put(index, row)


def _naming(answered: Iterator[Answered], ids: Sequence[Any], file: Path | None) -> Iterator[Answered]:
    """The answers; an error about one prompt names its row."""
    from unlearned.errors import ContextError, DataError

    try:
        yield from answered
    except ContextError as error:
        raise DataError(f"{file or '--prompt'}, row {ids[error.index]!r}: {error.reason}") from error


def sampling(temperature: float, top_p: float, seed: int) -> dict[str, Any]:
    """Arguments of `model.generate`; greedy at temperature 0."""
    if temperature == 0:
        return {"do_sample": False}
    from transformers import set_seed

    set_seed(seed)
    return {"do_sample": True, "temperature": temperature, "top_p": top_p}
