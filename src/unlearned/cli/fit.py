"""`unlearned fit`: learn an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import load, quiet, with_model_options
from unlearned.models import ModelOptions


@with_model_options
def fit(
    options: ModelOptions,
    forget: Annotated[Path, typer.Option(help="JSONL or CSV with prompt/question/text, and optionally answer.")],
    scope: Annotated[str, typer.Option(help="Name of what is forgotten.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the artifact.")],
    retain: Annotated[Path | None, typer.Option(help="Close prompts that must stay; the same format.")] = None,
    background: Annotated[bool, typer.Option(help="Use the packaged general prompts as negatives, too.")] = True,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder: hub id or folder.")] = None,
    max_fpr: Annotated[float, typer.Option(min=0, max=1, help="Bound on false alarms among general prompts.")] = 0.005,
    corruption: Annotated[str, typer.Option(help="Corruption function.")] = "rand_noise_first_n",
    dims: Annotated[int | None, typer.Option(min=0, help="Embedding coordinates to disturb; default: all.")] = None,
    strength: Annotated[float | None, typer.Option(min=0, help="Use this strength instead of learning it.")] = None,
    selector: Annotated[str, typer.Option(help="Which tokens of a flagged prompt: spans or all_but_last.")] = "spans",
    max_examples: Annotated[int, typer.Option(min=1, help="Forget prompts the strength is learned on.")] = 40,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts per forward pass.")] = 16,
    seed: Annotated[int | None, typer.Option(help="Make the noise reproducible; default: a new secret.")] = None,
) -> None:
    """Learn to forget a scope from example prompts, and save the artifact."""
    from unlearned.artifact.artifact import check_target
    from unlearned.cli.inspect import show
    from unlearned.cli.progress import progress
    from unlearned.embedded import MINILM
    from unlearned.examples import read_rows
    from unlearned.learn.fit import FitConfig
    from unlearned.learn.fit import fit as learn

    config = FitConfig(
        encoder=encoder or MINILM,
        background=background,
        max_fpr=max_fpr,
        corruption=corruption,
        dims=dims,
        strength=strength,
        selector=selector,
        max_examples=max_examples,
        batch_size=batch_size,
        seed=seed,
    )
    check_target(out)  # before minutes of work, not after
    forget_rows = read_rows(forget)
    retain_rows = read_rows(retain) if retain else []
    model, tokenizer = load(options)
    with progress() as report, quiet():
        artifact = learn(model, tokenizer, forget_rows, retain_rows, scope=scope, config=config, on_progress=report)
    artifact.save_pretrained(out)
    show(out)
