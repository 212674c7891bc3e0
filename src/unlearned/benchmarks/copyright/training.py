"""The start model: the base model, fine-tuned until it has learned the passages by heart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from unlearned.benchmarks.copyright.config import StartConfig
from unlearned.benchmarks.models import Load, plain_text, with_adapter
from unlearned.embedded import cache_folder
from unlearned.errors import DataError
from unlearned.examples import Row
from unlearned.methods.data import end_token
from unlearned.methods.record import RECORD, weights_sha256
from unlearned.methods.train import train_method
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress, Tell


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
