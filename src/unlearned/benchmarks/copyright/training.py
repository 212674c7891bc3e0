"""The start model: the base model, fine-tuned until it has learned the passages by heart."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch

from unlearned.benchmarks.models import Load, plain_text, with_adapter
from unlearned.embedded import cache_folder
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.methods.config import LoraSettings, TrainConfig
from unlearned.methods.data import end_token
from unlearned.methods.record import RECORD, weights_sha256
from unlearned.methods.train import train_method
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress, Tell


@dataclass(frozen=True, kw_only=True, slots=True)
class StartConfig:
    """How to train; None takes what suits the machine."""

    adapter: bool | None = None
    """True: a LoRA adapter, which two CPU cores can train. False: all weights, as in the paper. None: all weights if
    there is an accelerator."""

    epochs: float | None = None
    """None: 5 for all weights (the paper's), 12 for an adapter."""

    learning_rate: float | None = None
    """None: 2e-5 for all weights (the paper's), 1e-3 for an adapter."""

    batch_size: int | None = None
    """None: 8 for all weights (the paper's), 4 for an adapter."""

    rank: int = 32
    alpha: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("learning_rate", self.learning_rate)):
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name}={value:g}: must be above 0. Leave it out for the default.")
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError(f"batch_size={self.batch_size}: must be at least 1.")

    def filled(self) -> StartConfig:
        """With every value said."""
        adapter = not torch.accelerator.is_available() if self.adapter is None else self.adapter
        epochs, rate, batch = (12.0, 1e-3, 4) if adapter else (5.0, 2e-5, 8)
        return replace(
            self,
            adapter=adapter,
            epochs=epochs if self.epochs is None else self.epochs,
            learning_rate=rate if self.learning_rate is None else self.learning_rate,
            batch_size=batch if self.batch_size is None else self.batch_size,
        )

    def train_config(self, max_tokens: int, device: str | None) -> TrainConfig:
        """The paper's schedule: cosine after a warm-up of a tenth, weight decay 0.01."""
        full = self.filled()
        adapter = LoraSettings(rank=full.rank, alpha=full.alpha, dropout=0.0)
        return TrainConfig(
            lora=adapter if full.adapter else None,
            learning_rate=full.learning_rate,
            epochs=full.epochs,
            schedule="cosine",
            warmup=0.1,
            weight_decay=0.01,
            batch_size=min(full.batch_size or 4, 4),
            accumulation=max(1, (full.batch_size or 4) // 4),
            max_tokens=max_tokens,
            seed=full.seed,
            device="cpu" if device == "cpu" else "auto",
        )


def learned_by_heart(
    load: Load,
    options: ModelOptions,
    texts: Sequence[str],
    config: StartConfig,
    *,
    max_tokens: int,
    end: bool = True,
    name: str = "start",
    cache: Path | None = None,
    report: Progress | None = None,
    tell: Tell | None = None,
) -> Load:
    """Train the base model on texts, or take the result from the cache.

    The loss covers every token but the first. A killed training goes on from its last checkpoint, one per epoch.

    Args:
        load: gives a fresh base model.
        options: how it is loaded; a model of which all weights were trained is loaded in the same way.
        texts: what to learn.
        config: how.
        max_tokens: of a text and its end token; longer ones go in pieces.
        end: whether a text ends with an end token.
        name: of the model, for progress.
        cache: folder of trainings; None = beside the embedded model.
        report: called with (phase, done, total).
        tell: called with lines.

    Returns:
        What gives a fresh trained model.

    Raises:
        DataError: there is nothing to learn.
        MissingExtraError: `peft` or `accelerate` is not installed.
    """
    if not texts:
        raise DataError("There is no text to learn by heart.")
    model, tokenizer = load()
    training = config.train_config(max_tokens, options.device)
    ending = end_token(tokenizer, chat=False) if end else ""
    rows = [Row(text + ending) for text in texts]
    # Where it is trained is no part of what is trained.
    decides = [weights_sha256(model), [row.prompt for row in rows], asdict(replace(training, device="auto"))]
    key = hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:16]
    place = (cache or cache_folder() / "finetuned") / key
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make the folder {place.parent}: {error.strerror}.") from error

    def phase(_: str, done: int, total: int) -> None:
        if report is not None:
            report(f"{name}: training", done, total)

    if tell is not None:
        known = (place / RECORD).is_file()
        tell(f"{name}: taken from {place}" if known else f"{name}: learning {len(texts)} texts by heart")
    # "ft" is plain fine-tuning on its retain rows; it asks for forget rows, too, and does not read them.
    train_method("ft", model, tokenizer, rows, rows, training, place, on_progress=phase)
    if training.lora is not None:
        return partial(with_adapter, load, place)
    return plain_text(partial(load_model, replace(options, model=str(place), revision=None)))
