"""`unlearned train`: change weights, to compare with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearned.cli.options import AnswerColumn, PromptColumn, given_options, load, quiet, with_model_options
from unlearned.models import ModelOptions

if TYPE_CHECKING:
    from unlearned.examples import Row
    from unlearned.methods.base import Method

OF_WEIGHTS = (
    "lora", "qlora", "lora_rank", "lora_alpha", "lora_dropout", "lora_targets", "max_steps", "schedule", "accumulation",
    "refusal", "gradient_checkpointing", "save_steps", "report_to", "trainer",
)  # fmt: skip
"""Options that mean nothing to a soft prompt."""

OF_ADAPTER = ("lora_rank", "lora_alpha", "lora_dropout", "lora_targets")
"""Options that describe a new adapter."""

OF_STEPS = (
    "lora", "qlora", *OF_ADAPTER, "epochs", "max_steps", "learning_rate", "schedule", "warmup", "weight_decay",
    "batch_size", "accumulation", "gradient_checkpointing", "save_steps", "report_to", "trainer",
)  # fmt: skip
"""Options that mean nothing to a method without steps."""


@with_model_options
def train(
    context: typer.Context,
    options: ModelOptions,
    method: Annotated[str, typer.Argument(help="Name of a method; `unlearned methods` lists them.")],
    forget: Annotated[Path, typer.Option(help="JSONL or CSV with prompt/question/text, and answer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the adapter or of the model.")],
    retain: Annotated[Path | None, typer.Option(help="What must stay; the same format.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, a setting of the method; can be given again.")
    ] = None,
    lora: Annotated[bool, typer.Option("--lora", help="Train an adapter instead of all weights.")] = False,
    qlora: Annotated[bool, typer.Option("--qlora", help="The same, on weights in 4 bits (bitsandbytes).")] = False,
    lora_rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = 8,
    lora_alpha: Annotated[int, typer.Option(min=1, help="Its scale, times the rank.")] = 32,
    lora_dropout: Annotated[float, typer.Option(min=0, max=0.99, help="Dropout before the adapter.")] = 0.05,
    lora_targets: Annotated[str, typer.Option(help="Modules, separated by commas, or all-linear.")] = "all-linear",
    epochs: Annotated[float | None, typer.Option(help="Passes over the forget set; default: the method's.")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps, in place of epochs.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Default: the method's; ten times that for an adapter.")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="linear, cosine or constant; default: the method's.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the steps; default: the method's.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Default: the method's.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Items per forward pass; default: 4, or the method's batch if smaller.")
    ] = None,
    accumulation: Annotated[
        int | None, typer.Option(min=1, help="Forward passes per step; default: what makes the method's batch.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=8, help="Longest prompt with its answer.")] = 512,
    chat: Annotated[bool | None, typer.Option(help="Use the chat template; default: if there is one.")] = None,
    refusal: Annotated[
        list[str] | None,
        typer.Option(help="What methods with refusals learn to answer; can be given again. Default: packaged ones."),
    ] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, a third more time.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights on the same machine.")] = 0,
    save_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints; default: an epoch, or a tenth of --max-steps.")
    ] = None,
    report_to: Annotated[str, typer.Option(help="tensorboard, wandb, ...; several separated by commas.")] = "none",
    trainer: Annotated[
        list[str] | None,
        typer.Option("--trainer", help="NAME=VALUE of transformers.TrainingArguments, such as fsdp=full_shard."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another training's result, which is kept as NAME.previous.")
    ] = False,
) -> None:
    """Unlearn by changing weights: an adapter, or a whole model. A killed run goes on where it was."""
    from dataclasses import replace
    from typing import cast

    from unlearned.cli.before import check_model, check_writable_folder
    from unlearned.cli.progress import progress
    from unlearned.cli.settings import settings as values
    from unlearned.cli.settings import texts
    from unlearned.errors import ConfigError
    from unlearned.examples import read_rows
    from unlearned.files import check_place

    columns = {"prompt_column": prompt_column, "answer_column": answer_column}
    forget_rows = read_rows(forget, **columns)
    retain_rows = read_rows(retain, **columns) if retain else []
    check_writable_folder(out)
    check_place(out, replaces="soft_prompt.json" if method == "spul" and overwrite else "training.json")
    check_model(options.model)

    from unlearned.methods.base import Schedule
    from unlearned.methods.config import LoraSettings, TrainConfig
    from unlearned.methods.data import Form
    from unlearned.methods.known import make_method
    from unlearned.methods.train import check_rows, train_method

    own = texts(settings, "--set")
    if method == "spul":
        if wrong := given_options(context, OF_WEIGHTS):
            raise ConfigError(f"A soft prompt changes no weights: leave out {', '.join(wrong)}.")
        given = {
            "batch_size": batch_size, "epochs": epochs, "learning_rate": learning_rate, "weight_decay": weight_decay,
            "warmup": warmup, "max_tokens": max_tokens, "seed": seed,
        }  # fmt: skip
        chosen = {name: value for name, value in given.items() if value is not None}
        return _soft_prompt(options, forget_rows, retain_rows, out, {**chosen, **own}, chat, overwrite=overwrite)
    # All this before the model is loaded: a slip of the pen should not cost minutes.
    chosen_method = make_method(method, own)
    _check_options(context, options, chosen_method)
    adapter = LoraSettings(rank=lora_rank, alpha=lora_alpha, dropout=lora_dropout, targets=lora_targets)
    config = TrainConfig(
        lora=adapter if lora or qlora else None,
        learning_rate=learning_rate,
        epochs=epochs,
        max_steps=max_steps,
        schedule=cast("Schedule | None", schedule),
        warmup=warmup,
        weight_decay=weight_decay,
        batch_size=batch_size,
        accumulation=accumulation,
        max_tokens=max_tokens,
        form=Form(chat=chat),
        refusals=tuple(refusal or ()),
        gradient_checkpointing=gradient_checkpointing,
        seed=seed,
        save_steps=save_steps,
        report_to=report_to,
        device="cpu" if options.device == "cpu" else "auto",
        trainer=values(trainer, "--trainer"),
    )
    check_rows(chosen_method, forget_rows, retain_rows)
    if qlora:
        options = replace(options, load_in_4bit=True)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        folder = train_method(
            method,
            model,
            tokenizer,
            forget_rows,
            retain_rows,
            config,
            out,
            settings=own,
            overwrite=overwrite,
            on_progress=report,
            tell=lambda line: typer.echo(line, err=True),
        )
    typer.echo(f"Written to {folder}")


def _check_options(context: typer.Context, options: ModelOptions, method: Method) -> None:
    """Raise `ConfigError` where options were given that nothing would be done with."""
    from unlearned.errors import ConfigError

    new = given_options(context, ["lora", "qlora"])
    if not method.trains and (wrong := given_options(context, OF_STEPS)):
        raise ConfigError(f"This method edits the weights once, without steps: leave out {', '.join(wrong)}.")
    if given_options(context, ["refusal"]) and "refused" not in method.sees:
        raise ConfigError("This method learns no refusals: leave out --refusal.")
    if options.adapter and (wrong := [*new, *given_options(context, OF_ADAPTER)]):
        hint = " and give --load-in-4bit" if "--qlora" in wrong else ""
        raise ConfigError(f"The --adapter is trained further as it is: leave out {', '.join(wrong)}{hint}.")
    if not new and (wrong := given_options(context, OF_ADAPTER)):
        raise ConfigError(f"{', '.join(wrong)}: only a new adapter has this. Add --lora or --qlora.")
    kind, _, number = (options.device or "").partition(":")
    if method.trains and number not in ("", "0"):
        raise ConfigError(
            f"--device {options.device}: a training takes the first device of its process. To give it another, hide "
            f"the others (CUDA_VISIBLE_DEVICES={number}), and leave --device out."
            if kind == "cuda"
            else f"--device {options.device}: a training takes the first device of its process. Leave --device out."
        )


def _soft_prompt(
    options: ModelOptions,
    forget_rows: Sequence[Row],
    retain_rows: Sequence[Row],
    out: Path,
    settings: dict[str, Any],
    chat: bool | None,
    *,
    overwrite: bool,
) -> None:
    from unlearned.cli.progress import progress
    from unlearned.files import check_place
    from unlearned.methods.data import Form
    from unlearned.methods.known import read_settings
    from unlearned.methods.place import unfinished
    from unlearned.methods.spul import SpulConfig, check_rows, train_soft_prompt

    if isinstance(settings.get("labels"), str):
        settings["labels"] = [label.strip() for label in settings["labels"].split(",")]
    config = SpulConfig(form=Form(chat=chat), **read_settings(SpulConfig, "spul", settings))
    check_place(out, replaces="soft_prompt.json" if overwrite else None)
    check_rows(forget_rows, retain_rows)
    model, tokenizer = load(options)
    checkpoints = unfinished(out.resolve())
    with progress() as report, quiet():
        soft = train_soft_prompt(model, tokenizer, forget_rows, retain_rows, config, report, checkpoints=checkpoints)
    folder = soft.save_pretrained(out, overwrite=overwrite)
    shutil.rmtree(checkpoints)
    typer.echo(f"Written to {folder}")
