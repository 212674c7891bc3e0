"""`unlearned train`: change weights, to compare with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearned.cli.configs import Chosen, option_names, with_settings
from unlearned.cli.options import AnswerColumn, PromptColumn, given_options, load, quiet
from unlearned.methods.config import Form, LoraSettings, TrainConfig
from unlearned.models import ModelOptions
from unlearned.settings import ADAPTER, TRAINING

if TYPE_CHECKING:
    from unlearned.examples import Row
    from unlearned.methods.base import Method

OF_ADAPTER = tuple(option_names(LoraSettings))
"""Options that describe a new adapter."""

OF_WEIGHTS = (
    "lora", "qlora", *OF_ADAPTER, "max_steps", "schedule", "accumulation", "refusal", "gradient_checkpointing",
    "save_steps", "report_to", "trainer",
)  # fmt: skip
"""Options that mean nothing to a soft prompt."""

OF_BOTH = ("batch_size", "epochs", "learning_rate", "weight_decay", "warmup", "max_tokens", "seed")
"""Settings of `TrainConfig` that a soft prompt has, too."""

OF_STEPS = (
    "lora", "qlora", *OF_ADAPTER, "epochs", "max_steps", "learning_rate", "schedule", "warmup", "weight_decay",
    "batch_size", "accumulation", "gradient_checkpointing", "save_steps", "report_to", "trainer",
)  # fmt: skip
"""Options that mean nothing to a method without steps."""


@with_settings
def train(
    context: typer.Context,
    training: Chosen[TrainConfig],
    form: Chosen[Form],
    adapter: Chosen[LoraSettings],
    options: ModelOptions,
    method: Annotated[str, typer.Argument(help="Name of a method; `unlearned methods` lists them.")],
    forget: Annotated[Path, typer.Option(help="JSONL or CSV with prompt/question/text, and answer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the adapter or of the model.")],
    retain: Annotated[Path | None, typer.Option(help="What must stay; the same format.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE, a setting of the method; can be given again.", rich_help_panel=TRAINING
        ),
    ] = None,
    lora: Annotated[
        bool, typer.Option("--lora", help="Train an adapter instead of all weights.", rich_help_panel=ADAPTER)
    ] = False,
    qlora: Annotated[
        bool, typer.Option("--qlora", help="The same, on weights in 4 bits (bitsandbytes).", rich_help_panel=ADAPTER)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another training's result, which is kept as NAME.previous.")
    ] = False,
) -> None:
    """Unlearn by changing weights: an adapter, or a whole model. A killed run goes on where it was."""
    from dataclasses import replace

    from unlearned import envelope
    from unlearned.cli.before import check_writable_folder
    from unlearned.cli.progress import progress
    from unlearned.cli.settings import texts
    from unlearned.errors import ConfigError
    from unlearned.examples import read_rows
    from unlearned.files import check_place

    columns = {"prompt_column": prompt_column, "answer_column": answer_column}
    forget_rows = read_rows(forget, **columns)
    retain_rows = read_rows(retain, **columns) if retain else []
    check_writable_folder(out)
    if method == envelope.SPUL:
        envelope.check_method_place(out, method, overwrite=overwrite)
    else:
        check_place(out, replaces="training.json")

    from unlearned.methods.registry import make_method
    from unlearned.methods.train import check_rows, train_method

    own = texts(settings, "--set")
    if method == "spul":
        if wrong := given_options(context, OF_WEIGHTS):
            raise ConfigError(f"A soft prompt changes no weights: leave out {', '.join(wrong)}.")
        chosen = {name: training[name] for name in OF_BOTH if training[name] is not None}
        return _soft_prompt(options, forget_rows, retain_rows, out, {**chosen, **own}, form.make(), overwrite=overwrite)
    # All this before the model is loaded: a slip of the pen should not cost minutes.
    chosen_method = make_method(method, own)
    _check_options(context, options, chosen_method)
    new_adapter = adapter.make()
    config = training.make(
        lora=new_adapter if lora or qlora else None,
        form=form.make(),
        device="cpu" if options.device == "cpu" else "auto",
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
    form: Form,
    *,
    overwrite: bool,
) -> None:
    from unlearned.cli.progress import progress
    from unlearned.methods.output_dir import unfinished
    from unlearned.methods.registry import read_settings
    from unlearned.methods.spul import SpulConfig, check_rows, train_soft_prompt

    if isinstance(settings.get("labels"), str):
        settings["labels"] = [label.strip() for label in settings["labels"].split(",")]
    config = SpulConfig(form=form, **read_settings(SpulConfig, "spul", settings))
    check_rows(forget_rows, retain_rows)
    model, tokenizer = load(options)
    checkpoints = unfinished(out.resolve())
    with progress() as report, quiet():
        soft = train_soft_prompt(model, tokenizer, forget_rows, retain_rows, config, report, checkpoints=checkpoints)
    folder = soft.save_pretrained(out, overwrite=overwrite)
    shutil.rmtree(checkpoints)
    typer.echo(f"Written to {folder}")
