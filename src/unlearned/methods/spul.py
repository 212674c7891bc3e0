"""Train a soft prompt on an untouched model.

Source: SPUL, arXiv:2406.12038, with PEFT's p-tuning encoder. Departures: the divergence is taken where the
label is predicted (the published code takes it one token later), answers of several tokens count by their mean, so that
a long label weighs no more, and the generic labels are drawn from a seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from unlearned.artifact.fingerprint import base_model_record
from unlearned.engines.injection import EmbeddingInjection
from unlearned.engines.logits_to_keep import keep_logits
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError, FitError
from unlearned.examples import Row, Rows, as_rows
from unlearned.methods.config import Form, check_seed
from unlearned.methods.data import Encoder, Example, padded
from unlearned.methods.losses import IGNORED, is_target, precise
from unlearned.methods.record import rows_sha256, weights_sha256
from unlearned.methods.reference import evaluating
from unlearned.methods.soft_checkpoint import SoftCheckpoint, fingerprint
from unlearned.progress import Progress
from unlearned.seeding import own_randomness
from unlearned.unlearners.spul import SPUL, with_soft_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True, slots=True)
class SpulConfig:
    """How to train a soft prompt. Defaults: the paper's code."""

    tokens: int = 30
    """p, vectors in front of the prompt; the paper tries 10 to 50."""

    hidden: int = 128
    """Width of the encoder's hidden layers."""

    alpha: float = 0.5
    """Weight of the retain loss; 1 in the paper's headline rows."""

    beta: float = 0.5
    """Weight of the divergence from the model without the prompt, on the retain set."""

    labels: tuple[str, ...] = ("neutral", "unknown")
    """What forget prompts are to be answered with, drawn once per row."""

    learning_rate: float = 1e-4
    epochs: int = 10
    batch_size: int = 32
    """Forget and retain rows together, shuffled."""

    weight_decay: float = 1e-3
    warmup: float = 0.1
    max_grad_norm: float = 0.3
    max_tokens: int = 512
    form: Form = field(default_factory=Form)
    """The paper's labels are one token without an end: `Form(..., end=False)`."""

    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.tokens, self.hidden, self.epochs, self.batch_size) < 1:
            raise ConfigError("tokens, hidden, epochs and batch_size must be at least 1.")
        if not (0 <= self.alpha < math.inf and 0 <= self.beta < math.inf and 0 <= self.weight_decay < math.inf):
            raise ConfigError("alpha, beta and weight_decay must be at least 0.")
        if not (0 < self.learning_rate < math.inf and 0 < self.max_grad_norm < math.inf and 0 <= self.warmup < 1):
            raise ConfigError("learning_rate and max_grad_norm must be above 0, warmup in 0..1.")
        if isinstance(self.labels, str) or not self.labels or not all(label.strip() for label in self.labels):
            raise ConfigError('labels must be a list of texts, none of them empty, such as ["neutral", "unknown"].')
        check_seed(self.seed)


class PromptEncoder(nn.Module):
    """p-tuning: a table of P vectors through three linear layers with ReLU in between; same names as PEFT's.

    Args:
        tokens: P.
        width: D, of the model's embeddings.
        hidden: of the layers in between.
    """

    def __init__(self, tokens: int, width: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.mlp_head = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width)
        )

    def forward(self) -> Tensor:
        """(P, D) the soft prompt."""
        result: Tensor = self.mlp_head(self.embedding.weight)
        return result


def train_soft_prompt(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    forget: Rows,
    retain: Rows,
    config: SpulConfig | None = None,
    on_progress: Progress | None = None,
    *,
    checkpoints: Path | None = None,
) -> SPUL:
    """Train on the model, which stays as it is: its weights get no gradient.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        forget: rows; their answers are not used.
        retain: rows with answers.
        config: how.
        on_progress: called with ("training", steps done, steps).
        checkpoints: folder that keeps how far it is while this runs. The same call after an interruption goes on from
            there, to the same vectors. It is left where it is: the caller removes it when the result is safe.

    Raises:
        ConfigError: `checkpoints` holds something else, or the model is quantised on a CPU.
        DataError: a side is empty, a retain row has no answer, or `checkpoints` cannot be written.
        FitError: the loss is not finite.
    """
    config = config or SpulConfig()
    forget_rows, retain_rows = as_rows(forget, name="forget"), as_rows(retain, name="retain")
    check_rows(forget_rows, retain_rows)
    if getattr(model, "is_quantized", False) and model.device.type == "cpu":
        # bitsandbytes repacks 4-bit weights there in eval mode, and then passes wrong gradients through them.
        raise ConfigError(
            "A soft prompt cannot be trained through quantised weights on a CPU. Load the model in bfloat16."
        )
    encoder = Encoder(tokenizer, config.form, config.max_tokens)
    labels = np.random.default_rng([config.seed, 0]).choice(len(config.labels), size=len(forget_rows))
    generic = [replace(row, answer=config.labels[label]) for row, label in zip(forget_rows, labels, strict=True)]
    items = [(True, example) for example in encoder.examples(generic, "forget")]
    items += [(False, example) for example in encoder.examples(retain_rows, "retain")]
    engine = TransformersEngine(model, tokenizer)
    base = base_model_record(engine)
    rows = [rows_sha256(forget_rows), rows_sha256(retain_rows)]
    kept = SoftCheckpoint(checkpoints, fingerprint(config, weights_sha256(model), rows) if checkpoints else "")
    with own_randomness(config.seed), evaluating(model):
        soft = PromptEncoder(config.tokens, base.embedding_size, config.hidden).to(model.device)
        losses = _train(engine, soft, items, config, kept, on_progress)
    record = {
        "config": asdict(config),
        "base_model": base.model_dump(),
        "rows": {"forget": len(forget_rows), "retain": len(retain_rows)},
        "trainable_parameters": sum(weight.numel() for weight in soft.parameters()),
        "epoch_losses": losses,
    }
    return SPUL(soft().detach().float().cpu(), engine.substitute_id, record)


def check_rows(forget: Sequence[Row], retain: Sequence[Row]) -> None:
    """Raise `DataError` unless a soft prompt can be trained on these."""
    if not forget or not retain or any(row.answer is None for row in retain):
        raise DataError("A soft prompt needs forget rows, and retain rows that all have an answer.")


def batch_loss(
    engine: TransformersEngine, vectors: Tensor, batch: Sequence[tuple[bool, Example]], config: SpulConfig
) -> Tensor:
    """mean_F NLL(generic) + alpha mean_R NLL(answer) + beta mean_R KL(plain || prompted); a side without items is 0.

    Args:
        engine: of the untouched model.
        vectors: (P, D) with gradient.
        batch: (whether it is to be forgotten, example).
        config: alpha and beta.
    """
    data = {name: t.to(vectors.device) for name, t in padded([item for _, item in batch], engine.pad_id).items()}
    ids, mask, labels = data["input_ids"], data["attention_mask"], data["labels"]
    count, rows = len(vectors), len(batch)
    front = ids.new_full((rows, count), engine.substitute_id)
    inputs = [with_soft_prompt(row, vectors, engine.substitute_id) for row in ids.tolist()]
    whole = torch.cat([front, ids], dim=1)
    seen = torch.cat([torch.ones_like(front), mask], dim=1)
    # Only columns in which some row predicts a target go through the output head, the widest product of all.
    columns = is_target(labels).any(0).nonzero()[:, 0]  # (C,)
    targets = labels[:, columns + 1]  # (B, C)
    here = targets != IGNORED
    # The same way as at inference, so that what was trained is what is used.
    with EmbeddingInjection(engine.model, whole, inputs, [0] * rows, engine.substitute_id):
        logits = _logits_at(engine, columns + count, whole, seen)
    predicted = precise(logits[here]).log_softmax(-1)  # (N, V), of the N targets of all rows
    nll = _mean_by_row(-predicted.gather(1, targets[here][:, None])[:, 0], here)
    retain = torch.tensor([not side for side, _ in batch], device=nll.device)
    loss = nll.new_zeros(())
    if bool((~retain).any()):
        loss = loss + nll[~retain].mean()
    if bool(retain.any()):
        loss = loss + config.alpha * nll[retain].mean()
        if config.beta:
            with torch.no_grad():
                plain = _logits_at(engine, columns, ids[retain], mask[retain])
            before, now = precise(plain[here[retain]]).log_softmax(-1), predicted[retain[here.nonzero()[:, 0]]]
            gap = (before.exp() * (before - now)).sum(-1)
            loss = loss + config.beta * _mean_by_row(gap, here[retain]).mean()
    return loss


def _logits_at(engine: TransformersEngine, columns: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """(B, C, V) of these columns; models that cannot leave out the others compute all."""
    arguments = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    logits: Tensor = engine.model(**arguments, **keep_logits(engine.model, columns)).logits
    return logits if logits.shape[1] == len(columns) else logits[:, columns]


def _mean_by_row(values: Tensor, here: Tensor) -> Tensor:
    """(N,) values of the N true places of (B, C), row by row -> (B,) means."""
    spread = values.new_zeros(here.shape)
    spread[here] = values  # not index_add, whose order of summation is not fixed on a GPU
    return spread.sum(1) / here.sum(1)


def _train(
    engine: TransformersEngine,
    soft: PromptEncoder,
    items: Sequence[tuple[bool, Example]],
    config: SpulConfig,
    kept: SoftCheckpoint,
    on_progress: Progress | None,
) -> list[float]:
    """Mean loss of each epoch."""
    weights = list(soft.parameters())
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=config.weight_decay)
    per_epoch = math.ceil(len(items) / config.batch_size)
    total = config.epochs * per_epoch
    losses = kept.restore(soft, optimizer)
    for step in range(len(losses), total):
        epoch, turn = divmod(step, per_epoch)
        order = np.random.default_rng([config.seed, 1, epoch]).permutation(len(items))
        batch = [items[index] for index in order[turn * config.batch_size : (turn + 1) * config.batch_size]]
        loss = batch_loss(engine, soft(), batch, config)
        if not torch.isfinite(loss):
            raise FitError(f"The loss is not finite in step {step + 1}. Lower the learning rate.")
        # Only of the encoder: nothing may be left on the user's model.
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        torch.nn.utils.clip_grad_norm_(weights, config.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * cosine(step, total, config.warmup)
        optimizer.step()
        losses.append(float(loss.detach()))
        kept.keep(soft, optimizer, losses)
        if on_progress is not None:
            on_progress("training", step + 1, total)
    return [sum(part) / len(part) for part in (losses[i : i + per_epoch] for i in range(0, total, per_epoch))]


def cosine(step: int, total: int, warmup: float) -> float:
    """Factor of the learning rate in step `step`: up in a line, down along half a cosine."""
    rising = math.ceil(warmup * total)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))
