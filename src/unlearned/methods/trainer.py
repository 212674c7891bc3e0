"""`transformers.Trainer` with a method's loss; accelerate, FSDP and DeepSpeed come with it, by configuration."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from unlearned.errors import ConfigError, FitError, first_line
from unlearned.methods.base import Method
from unlearned.methods.computing import computes_in, trains_on
from unlearned.methods.config import TrainConfig
from unlearned.methods.data import Batch, Streams, collate
from unlearned.methods.output_dir import process
from unlearned.methods.reference import FrozenCopy, Reference
from unlearned.methods.step import Step
from unlearned.progress import Progress

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""accelerate's names of the types that a forward pass is cast to."""

SAVES = 10
"""At least so many checkpoints of a run that ends by steps, which may be less than an epoch."""


def make_trainer(
    method: Method,
    model: Any,
    reference: Reference | None,
    streams: Streams,
    pad_id: int,
    config: TrainConfig,
    folder: Path,
    dtype: torch.dtype,
    on_progress: Progress | None,
) -> Any:
    """A Trainer that is ready to `train`, computing in `dtype`.

    Made in a function, so that importing this file stays cheap.
    """
    from transformers import PrinterCallback, Trainer, TrainerCallback

    class Reporter(TrainerCallback):
        """Tells the data which epoch begins, and the user how many steps are done."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            streams.set_epoch(int(state.epoch or 0))

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if on_progress is not None:
                on_progress("training", state.global_step, state.max_steps)

    class MethodTrainer(Trainer):
        """Sums a method's terms, and logs each."""

        # A mean over the batch: the Trainer divides by the number of accumulated batches, not by tokens.
        loss_is_scaled_for_ga = False
        stopped: str | None = None

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.model_accepts_loss_kwargs = False
            self._sums: dict[str, float] = {}
            self._count = 0

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            batches = {stream: Batch(**tensors) for stream, tensors in inputs.items()}
            step = Step(model, batches, reference, epoch=streams.epoch, seed=config.seed)
            terms = method.terms(step)
            loss = torch.stack(list(terms.values())).sum()
            values = {name: float(term.detach()) for name, term in terms.items()}
            if not math.isfinite(sum(values.values())):
                found = ", ".join(f"{name} {value:g}" for name, value in values.items())
                raise FitError(
                    f"The loss is not finite in step {self.state.global_step + 1} ({found}). Lower the learning rate "
                    f"({config.learning_rate:g}) or train for fewer steps."
                )
            for name, value in values.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            self._count += 1
            if (reason := self._reason(values)) is not None:
                self.stopped, self.control.should_training_stop = reason, True
            return (loss, None) if return_outputs else loss

        def _reason(self, values: dict[str, float]) -> str | None:
            """The method's reason to stop, agreed on by all processes: one that went on alone would wait forever."""
            if type(method).stop is Method.stop:
                return None
            reason = method.stop(values)
            flags = self.accelerator.gather(torch.tensor([reason is not None], device=self.args.device))
            return (reason or "another process met its bound.") if bool(flags.any()) else None

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            if "loss" in logs and self._count:
                logs |= {f"term_{name}": value / self._count for name, value in self._sums.items()}
                self._sums, self._count = {}, 0
            super().log(logs, start_time)

        def floating_point_ops(self, inputs: Any) -> int:
            return 0  # it expects one flat batch

    arguments = _arguments(config, folder, dtype, len(streams))
    try:
        trainer = MethodTrainer(
            model=model,
            args=arguments,
            train_dataset=streams,
            data_collator=lambda items: collate(items, pad_id),
            callbacks=[Reporter()],
        )
    except (RuntimeError, ValueError, ImportError) as error:  # a report that is not installed, most of all
        raise ConfigError(f"The Trainer cannot be set up: {first_line(error)}") from error
    trainer.remove_callback(PrinterCallback)
    if isinstance(reference, FrozenCopy):
        # accelerate casts inside of the trained model's forward pass, which the copy does not have.
        reference.computes_in = HALF.get(trainer.accelerator.mixed_precision, torch.float32)
    return trainer


def steps_per_epoch(config: TrainConfig, items: int, processes: int = 1) -> int:
    """Optimiser steps that go once through `items`; the config is filled."""
    passes = math.ceil(items / ((config.batch_size or 1) * processes))
    return max(1, math.ceil(passes / (config.accumulation or 1)))


def _save_steps(config: TrainConfig, items: int) -> int | None:
    """Steps between checkpoints; None: an epoch."""
    if config.save_steps is not None or config.max_steps is None:
        return config.save_steps
    epoch = steps_per_epoch(config, items, process().num_processes)
    return min(epoch, math.ceil(config.max_steps / SAVES))


def _arguments(config: TrainConfig, folder: Path, dtype: torch.dtype, items: int) -> Any:
    from transformers import TrainingArguments

    accelerated = trains_on(config.device).type != "cpu"
    computed, save_steps = computes_in(dtype, accelerated=accelerated), _save_steps(config, items)
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulation,
        "optim": "adamw_torch",
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "lr_scheduler_type": config.schedule,
        "warmup_steps": config.warmup,  # below 1 it is a share
        "max_grad_norm": config.max_grad_norm,
        "bf16": computed == torch.bfloat16,
        "fp16": computed == torch.float16,
        "save_strategy": "epoch" if save_steps is None else "steps",
        "save_steps": save_steps or 500,
        "save_total_limit": 1,
        "logging_steps": config.logging_steps,
        "logging_nan_inf_filter": False,
        "report_to": [name.strip() for name in config.report_to.split(",")],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "seed": config.seed,
        "use_cpu": not accelerated,  # said outright: otherwise bfloat16 is refused on a machine without an accelerator
        "dataloader_pin_memory": accelerated,
    }
    if config.gradient_checkpointing:
        known = {setting.name for setting in fields(TrainingArguments)}
        option = next(name for name in ("activation_checkpointing", "gradient_checkpointing") if name in known)
        settings[option] = True
        settings[f"{option}_kwargs"] = {"use_reentrant": False}  # the other kind needs inputs with gradient
    if taken := sorted(settings.keys() & config.trainer.keys() - {"optim", "bf16", "fp16"}):
        raise ConfigError(f"Set {taken[0]!r} by the option of its own, not among the Trainer's other arguments.")
    try:
        arguments = TrainingArguments(**{**settings, **config.trainer})
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"The Trainer refuses these arguments: {first_line(error)}") from error
    if not (arguments.fsdp or arguments.deepspeed):
        # One process uses one device; several are used by starting several processes.
        arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
