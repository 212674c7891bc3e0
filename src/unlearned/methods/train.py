"""`train_method`: data and a model in, a folder with the unlearned weights out.

A killed training goes on from its last checkpoint and ends with the same weights. The result appears as a whole or not
at all.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unlearned.checkpoints import claim, last_complete
from unlearned.engines.injection import inner_model
from unlearned.errors import ConfigError, DataError, FitError, UnlearnedError, first_line
from unlearned.examples import Row, Rows, as_rows
from unlearned.methods.base import Method
from unlearned.methods.computing import trains_on
from unlearned.methods.config import TrainConfig
from unlearned.methods.data import Batch, Encoder, Example, Streams, padded
from unlearned.methods.memory import estimate_memory
from unlearned.methods.negation import negate_weights
from unlearned.methods.output_dir import (
    check_place,
    finish,
    first_process,
    is_there,
    process,
    unfinished,
    write_weights,
)
from unlearned.methods.record import fingerprint, recipe_record
from unlearned.methods.reference import FrozenCopy
from unlearned.methods.registry import make_method
from unlearned.methods.trainer import make_trainer
from unlearned.methods.weights import Prepared, prepare_weights
from unlearned.progress import Progress, Tell
from unlearned.seeding import own_randomness

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CHECKPOINTS_OF = "fingerprint.json"
"""File that says whose checkpoints a folder holds."""


def train_method(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    forget_pairs: Rows,
    retain_pairs: Rows,
    config: TrainConfig | None,
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> Path:
    """Unlearn by changing weights.

    Args:
        name: of a method, see `unlearned methods`.
        model: the start model. It is changed: load the result, and do not go on using this object. One with a PEFT
            adapter gets that adapter trained further, and the adapter as it came is the reference.
        tokenizer: its tokenizer.
        forget_pairs: rows with prompt and answer, or without any answer: texts as a whole.
        retain_pairs: the same; may be empty for methods that see the forget set only.
        config: how to train; None: the method's recipe, on all weights.
        out: folder of the result.
        settings: the method's own.
        overwrite: replace the result of another training, which is kept as `NAME.previous`.
        on_progress: called with ("training", steps done, steps).
        tell: called with lines about what happens.

    Returns:
        `out`: a PEFT adapter folder, or a model folder in safetensors with its tokenizer; and `training.json`.

    Raises:
        ConfigError: a setting, or a place that is taken.
        DataError: rows that the method cannot use.
        FitError: the loss is not finite.
        MissingExtraError: peft or accelerate is not installed.
    """
    config = config or TrainConfig()
    # Without accelerate, this says so before anything else happens.
    processes = int(process(cpu=trains_on(config.device).type == "cpu").num_processes)
    tell = tell or (lambda line: None)
    method = make_method(name, settings)
    target = Path(out).absolute()  # "." has no name to put others beside
    forget, retain = as_rows(forget_pairs, name="forget"), as_rows(retain_pairs, name="retain")
    method.check(model)
    if hasattr(model, "peft_config"):
        config = replace(config, lora=None)  # the model's own adapter has its own rank: nothing else is to be recorded
    adapter = config.lora is not None or hasattr(model, "peft_config")
    told, config = config, config.filled(method.recipe, adapter=adapter, processes=processes)
    record = recipe_record(name, method, config, model, forget, retain, processes)
    sha256 = fingerprint(record)
    if is_there(target, sha256, overwrite=overwrite):
        tell(f"{out} holds the result of this training already.")
        return Path(out)
    check_place(target)
    _tell_batch(method, told, config, processes, tell)
    streams = streams_of(method, tokenizer, forget, retain, config, tell)
    with own_randomness(config.seed):
        prepared = prepare_weights(model, method, config.lora, checkpointing=config.gradient_checkpointing)
        _tell_memory(method, prepared, streams, config, tell)
        began = time.perf_counter()
        if method.trains:
            found = _train(method, prepared, streams, tokenizer, config, target, sha256, on_progress, tell)
        else:
            found = _edit(method, prepared, streams, tokenizer, config, on_progress)
            prepared.restore()
            write_weights(prepared, None, tokenizer, target)
    seconds = round(time.perf_counter() - began, 1)
    if first_process():
        finish(method, prepared, target, {**record, **found, "seconds": seconds, "fingerprint": sha256})
        shutil.rmtree(unfinished(target), ignore_errors=True)
    process().wait_for_everyone()
    return Path(out)


def check_rows(method: Method, forget: Sequence[Row], retain: Sequence[Row]) -> None:
    """Raise `DataError` where rows are missing that a method needs, or their answers."""
    sees = set(method.sees)
    if sees & {"retain", "mismatched", "random"} and not retain:
        raise DataError("This method needs retain rows as well. Give a file with --retain.")
    for side, rows, pairing in (
        ("forget", forget, {"refused", "mismatched", "random", "shuffled"}),
        ("retain", retain, {"mismatched", "random"}),
    ):
        if sees & pairing and any(row.answer is None for row in rows):
            raise DataError(f"This method pairs prompts with other answers, so every {side} row needs an answer.")


def streams_of(
    method: Method,
    tokenizer: Any,
    forget: Sequence[Row],
    retain: Sequence[Row],
    config: TrainConfig,
    tell: Tell,
) -> Streams:
    """What a method sees, item by item; raises `DataError` where rows are missing that it needs."""
    check_rows(method, forget, retain)
    encoder = Encoder(tokenizer, config.form, config.max_tokens)
    sets: dict[str, list[Example]] = {"forget": encoder.examples(forget, "forget"), "retain": []}
    if {"retain", "mismatched", "random"} & set(method.sees):
        sets["retain"] = encoder.examples(retain, "retain")
    for side, rows in (("forget", forget), ("retain", retain)):
        if sets[side] and rows[0].answer is None:
            tell(f"The {side} rows have no answers: trained on as texts, as a whole.")
        cut = sum(len(example) == config.max_tokens for example in sets[side])
        if cut and rows[0].answer is not None:
            tell(f"{cut} of {len(rows)} {side} rows fill max_tokens={config.max_tokens}; longer ones are cut.")
    return Streams(
        method.sees,
        sets["forget"],
        sets["retain"],
        encoder,
        seed=config.seed,
        over=method.over,
        answers=int(getattr(method, "answers", 5)),
        refused=config.refusals,
    )


def _tell_batch(method: Method, told: TrainConfig, config: TrainConfig, processes: int, tell: Tell) -> None:
    """Say so where the recipe's batch cannot be had and nobody chose another."""
    batch = (config.batch_size or 1) * (config.accumulation or 1) * processes
    if method.trains and told.accumulation is None and batch != method.recipe.batch_size:
        tell(f"A step takes {batch} items, where the method's recipe takes {method.recipe.batch_size}.")


def _tell_memory(method: Method, prepared: Prepared, streams: Streams, config: TrainConfig, tell: Tell) -> None:
    several = {"random", "shuffled"}
    here = next(prepared.model.parameters()).device
    device = trains_on(config.device, process().local_process_index)
    passes = sum(streams.answers if stream in several else 1 for stream in method.sees) if method.trains else 1
    estimate = estimate_memory(
        prepared.model,
        reference=prepared.reference_bytes,
        tokens=(config.batch_size or 1 if method.trains else 1) * streams.longest,
        passes=passes,
        checkpointing=config.gradient_checkpointing,
        trains=method.trains,
        device=device if method.trains or here.type == "cpu" else here,  # on a device already, it is edited there
    )
    tell(f"{estimate}.")
    if not estimate.fits:
        tell(
            "This may not fit. Lower batch_size or max_tokens, use --gradient-checkpointing, or train an adapter "
            "with --lora."
        )


def _train(
    method: Method,
    prepared: Prepared,
    streams: Streams,
    tokenizer: Any,
    config: TrainConfig,
    target: Path,
    sha256: str,
    on_progress: Progress | None,
    tell: Tell,
) -> dict[str, Any]:
    folder = unfinished(target)
    try:
        trainer = make_trainer(
            method,
            prepared.model,
            prepared.reference,
            streams,
            pad_id(prepared.model, tokenizer),
            config,
            folder,
            prepared.dtype,
            on_progress,
        )
        with process().main_process_first():
            _claim(folder, sha256)
    except OSError as error:
        raise DataError(f"Cannot write to {folder.parent}: {error.strerror}.") from error
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    if sharded and method.negation is not None:
        raise ConfigError("A method that negates what it learned cannot run on sharded weights. Use plain processes.")
    checkpoint = last_complete(folder)
    if checkpoint is not None:
        tell(f"Going on from step {checkpoint.rpartition('-')[2]}.")
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except UnlearnedError:
        raise
    except (ValueError, TypeError, ImportError) as error:
        if not config.trainer:
            raise
        raise ConfigError(f"The Trainer cannot run with these arguments: {first_line(error)}") from error
    except torch.OutOfMemoryError as error:
        raise FitError(
            "The device ran out of memory. Lower batch_size or max_tokens, use --gradient-checkpointing, or train an "
            "adapter with --lora."
        ) from error
    if trainer.stopped:
        tell(f"Stopped after {trainer.state.global_step} steps: {trainer.stopped}")
    prepared.restore()
    if method.negation is not None and isinstance(prepared.reference, FrozenCopy):
        negate_weights(prepared.model, prepared.reference.model, method.negation)
    write_weights(prepared, trainer if sharded else None, tokenizer, target)
    return {
        "steps": trainer.state.global_step,
        "stopped": trainer.stopped,
        "history": [entry for entry in trainer.state.log_history if "loss" in entry],
    }


def _claim(folder: Path, sha256: str) -> None:
    claim(
        folder / CHECKPOINTS_OF,
        sha256,
        foreign=f"{folder} exists and holds no checkpoints of a training. Move it, or choose another --out.",
        stale=f"{folder} holds the checkpoints of a training with other data or settings. They are deleted.",
    )


def _edit(
    method: Method,
    prepared: Prepared,
    streams: Streams,
    tokenizer: Any,
    config: TrainConfig,
    on_progress: Progress | None,
) -> dict[str, Any]:
    model, pad = prepared.model, pad_id(prepared.model, tokenizer)
    device = trains_on(config.device, process().local_process_index)
    if device.type == "cuda" and next(model.parameters()).device.type == "cpu":
        model.to(device)
    total, done = len(streams.forget) + len(streams.retain), 0

    def batches(examples: Sequence[Example]) -> Iterator[Batch]:
        nonlocal done
        device = next(model.parameters()).device
        for example in examples:  # one by one: the gradient of a batch underestimates how much single examples need
            yield Batch(**{name: tensor.to(device) for name, tensor in padded([example], pad).items()})
            done += 1
            if on_progress is not None:
                on_progress("training", done, total)

    return {"edit": method.edit(model.eval(), batches(streams.forget), batches(streams.retain))}


def pad_id(model: Any, tokenizer: Any) -> int:
    """What rows are filled up with. It is masked, so any token does."""
    config = inner_model(model).config.get_text_config()
    candidates = (tokenizer.pad_token_id, getattr(config, "pad_token_id", None), tokenizer.eos_token_id, 0)
    return next(int(token) for token in candidates if token is not None)
