"""A step of each method against plain fine-tuning on the same tokens, in turn and in one run.

What a step may cost follows from its passes through the model. In units of one forward pass, fine-tuning on a stream
costs three (the backward pass is two), and the reference's look at it one more. A method with streams of T_i tokens, of
which those in R are shown to the reference, may so take 1 + sum over R of T_i / (3 sum T_i) of the plain time.
"""

from __future__ import annotations

import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unlearned.examples import Row
from unlearned.extras import require
from unlearned.methods.base import Method
from unlearned.methods.computing import computes_in
from unlearned.methods.config import LoraSettings, TrainConfig
from unlearned.methods.data import Batch, collate
from unlearned.methods.reference import FrozenCopy
from unlearned.methods.registry import make_method, methods
from unlearned.methods.step import Step
from unlearned.methods.train import pad_id, streams_of
from unlearned.methods.weights import Prepared, prepare_weights
from unlearned.progress import Progress
from unlearned.seeding import own_randomness

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ALLOWED = 1.15
"""A method may take so much more than its passes explain."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One method."""

    method: str
    tokens: int
    """Tokens of a step, padding included."""

    seconds: float
    """Median of its steps."""

    plain_seconds: float
    ratio: float
    """Median over the pairs of steps."""

    explained: float
    """The ratio that its passes explain."""

    @property
    def within(self) -> bool:
        return self.ratio <= ALLOWED * self.explained


def measure_methods(
    load: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerBase]],
    forget: Sequence[Row],
    retain: Sequence[Row],
    *,
    names: Sequence[str] | None = None,
    steps: int = 5,
    batch_size: int = 4,
    lora: bool = True,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Time forward and backward passes; the optimiser's step is the same for all.

    Args:
        load: gives a fresh model.
        forget: rows with answers.
        retain: the same.
        names: methods; None = all that train in steps.
        steps: pairs of a method's step and a plain one, after one pair that warms up.
        batch_size: items of every stream.
        lora: train an adapter; else all weights.
        on_progress: called with (phase, done, total).

    Returns:
        JSON-ready values: the machine, and one row per method.
    """
    known = methods().names() if names is None else list(names)
    chosen = [name for name in known if make_method(name, None).trains]
    rows = []
    for number, name in enumerate(chosen):
        if on_progress is not None:
            on_progress(name, number, len(chosen))
        rows.append(_cost(name, load, forget, retain, steps, batch_size, lora))
        gc.collect()
    return {
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {sys.platform}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "lora": lora,
        "batch_size": batch_size,
        "steps": steps,
        "rows": [{**asdict(row), "within": row.within} for row in rows],
    }


def _cost(
    name: str,
    load: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerBase]],
    forget: Sequence[Row],
    retain: Sequence[Row],
    steps: int,
    batch_size: int,
    lora: bool,
) -> Cost:
    model, tokenizer = load()
    method = make_method(name, None)
    config = TrainConfig(lora=LoraSettings() if lora else None, batch_size=batch_size)
    streams = streams_of(method, tokenizer, forget, retain, config, lambda line: None)
    with own_randomness(0):
        prepared = prepare_weights(model, method, config.lora, checkpointing=False)
        prepared.model.train()
        _cast_as_in_training(prepared)
        pad = pad_id(prepared.model, tokenizer)
        ours: list[float] = []
        theirs: list[float] = []
        for turn in range(steps + 1):
            items = [streams[(turn * batch_size + place) % len(streams)] for place in range(batch_size)]
            device = next(prepared.model.parameters()).device
            batches = {
                stream: Batch(**{part: tensor.to(device) for part, tensor in tensors.items()})
                for stream, tensors in collate(items, pad).items()
            }
            step = _Counted(prepared.model, batches, prepared.reference)
            ours.append(_timed(partial(_method_loss, method, step), prepared))
            seen = {stream: batches[stream] for stream in batches if stream in step.trained}
            theirs.append(_timed(partial(_plain_loss, Step(prepared.model, seen)), prepared))
    tokens = {stream: int(batch.input_ids.numel()) for stream, batch in seen.items()}
    shown = sum(batches[stream].input_ids.numel() for stream in step.compared)
    pairs = list(zip(ours, theirs, strict=True))[1:]
    return Cost(
        method=name,
        tokens=sum(tokens.values()),
        seconds=statistics.median(mine for mine, _ in pairs),
        plain_seconds=statistics.median(plain_one for _, plain_one in pairs),
        ratio=statistics.median(mine / plain_one for mine, plain_one in pairs),
        explained=1 + shown / (3 * sum(tokens.values())),
    )


class _Counted(Step):
    """Remembers which streams went through the model, and which through the reference."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.trained: set[str] = set()
        self.compared: set[str] = set()

    def _pass(self, which: str, stream: str, layer: int | None) -> Tensor:
        (self.trained if which == "model" else self.compared).add(stream)
        return super()._pass(which, stream, layer)


def _method_loss(method: Method, step: Step) -> Tensor:
    return torch.stack(list(method.terms(step).values())).sum()


def _plain_loss(step: Step) -> Tensor:
    return torch.stack([step.ce(stream) for stream in step.batches]).sum()


def _cast_as_in_training(prepared: Prepared) -> None:
    """Cast inside of the model's forward pass, once per pass and with outputs in float32, as accelerate does."""
    model = prepared.model
    device = next(model.parameters()).device
    dtype = computes_in(prepared.dtype, accelerated=device.type != "cpu")
    if dtype != torch.float32:
        widened = require("accelerate.utils", extra="train", purpose="Training").convert_outputs_to_fp32
        model.forward = widened(torch.autocast(device.type, dtype=dtype)(model.forward))
    if isinstance(prepared.reference, FrozenCopy):
        prepared.reference.computes_in = dtype


def _timed(loss_of: Callable[[], Tensor], prepared: Prepared) -> float:
    """Seconds of the loss and its gradients."""
    device = next(prepared.model.parameters()).device
    start = time.perf_counter()
    loss = loss_of()
    loss.backward()  # type: ignore[no-untyped-call]
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    prepared.model.zero_grad(set_to_none=True)
    return seconds
