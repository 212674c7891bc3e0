"""`unlearned generate`: answer one prompt or a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unlearned.cli.options import (
    Artifacts,
    BatchSize,
    InstructionFolder,
    MaxNewTokens,
    SoftPrompt,
    enforced,
    load,
    quiet,
    status,
    with_model_options,
)
from unlearned.models import ModelOptions


@with_model_options
def generate(
    options: ModelOptions,
    artifact: Artifacts = None,
    soft_prompt: SoftPrompt = None,
    instruction: InstructionFolder = None,
    prompt: Annotated[str | None, typer.Option(help="One prompt; its answer goes to the terminal.")] = None,
    input: Annotated[Path | None, typer.Option("--input", "-i", help="JSONL or CSV with prompt/question/text.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSONL file; default: the terminal.")] = None,
    max_new_tokens: MaxNewTokens = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0 = greedy.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Nucleus sampling.")] = 1.0,
    seed: Annotated[int, typer.Option(help="For sampling.")] = 0,
    batch_size: BatchSize = 16,
    raw: Annotated[bool, typer.Option("--raw", help="Do not put prompts into the chat template.")] = False,
) -> None:
    """Answer prompts with the artifacts enforced; with nothing to enforce, this is the original model."""
    from unlearned.api import Unlearned
    from unlearned.cli.output import check_writable, write_rows
    from unlearned.errors import ConfigError
    from unlearned.examples import Row, read_rows

    if (prompt is None) == (input is None):
        raise ConfigError("Give either --prompt or --input.")
    check_writable(out)
    rows = [Row(prompt)] if prompt is not None else read_rows(input) if input else []
    artifacts, front = enforced(artifact, soft_prompt, instruction)
    model, tokenizer = load(options)
    with status(f"Answering {len(rows)} prompts"), quiet():
        llm = Unlearned(model, tokenizer, artifacts, **front)
        answers = llm.generate(
            [row.prompt for row in rows],
            chat=False if raw else None,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            **sampling(temperature, top_p, seed),
        )
    if prompt is not None and out is None:
        typer.echo(answers[0].text)
        return
    write_rows(
        out,
        (
            {
                "id": index if row.id is None else row.id,
                "prompt": row.prompt,
                "completion": answer.text,
                "flagged": answer.flagged,
                "scope": answer.verdict.scope,
            }
            for index, (row, answer) in enumerate(zip(rows, answers, strict=True))
        ),
    )


def sampling(temperature: float, top_p: float, seed: int) -> dict[str, Any]:
    """Arguments of `model.generate`; greedy at temperature 0."""
    if temperature == 0:
        return {"do_sample": False}
    from transformers import set_seed

    set_seed(seed)
    return {"do_sample": True, "temperature": temperature, "top_p": top_p}
