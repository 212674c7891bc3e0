"""Fine-tune a model on questions and answers with LoRA: TOFU's start and retained model.

A killed training goes on from its last epoch and ends with the same weights, bit for bit on the same machine. What is
kept is safetensors and JSON; nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.benchmarks.tofu.prompts import format_of
from unlearned.embedded import cache_folder
from unlearned.engines.logits_to_keep import keep_logits
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.files import new_folder, write_bytes, write_text
from unlearned.methods.config import Form
from unlearned.methods.data import Encoder, Example
from unlearned.methods.record import weights_sha256
from unlearned.progress import Tell
from unlearned.seeding import own_randomness

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECIPE = 1
"""Changes with the code of the training; adapters of another recipe are not taken from the cache."""

ADAPTER, CHECKPOINT, RECORD = "adapter", "checkpoint.safetensors", "training.json"

BUCKET = 8
"""Batches that are drawn together and then sorted by length: little padding, and yet other batches every epoch."""


class Goal(Protocol):
    """When a training has learned enough and ends before its last epoch."""

    name: str
    """Part of the cache's key."""

    def reached(self, model: Any, loss: float) -> bool:
        """Asked between epochs, with the model in eval mode and the last epoch's mean loss."""
        ...


def finetune(
    load: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerBase]],
    pairs: Sequence[QuestionAnswer],
    config: FinetuneConfig | None = None,
    *,
    form: Form | None = None,
    goal: Goal | None = None,
    name: str = "model",
    cache: Path | None = None,
    tell: Tell | None = None,
) -> Path:
    """Train an adapter, or take it from the cache.

    Loss is the mean over all target tokens of a batch: the answer and its end token, never the question. The output
    head runs from the batch's first target on.

    Args:
        load: gives the base model and its tokenizer; the model is wrapped, so it must be a fresh one.
        pairs: what to learn.
        config: how.
        form: how pairs are written; None: TOFU's way.
        goal: ends the training early; None: it has all its epochs.
        name: begins the lines of progress.
        cache: folder of trainings; default: beside the embedded model.
        tell: called with a line after each epoch.

    Returns:
        The folder of the PEFT adapter.

    Raises:
        MissingExtraError: `peft` is not installed.
        DataError: there is nothing to train on, or the cache cannot be written.
    """
    peft = require("peft", extra="train", purpose="Fine-tuning")
    config, tell = config or FinetuneConfig(), tell or (lambda line: None)
    if not pairs:
        raise DataError("There is nothing to train on.")
    model, tokenizer = load()
    settings = {"recipe": RECIPE, "base": weights_sha256(model), "data": pairs_sha256(pairs), "config": asdict(config)}
    settings |= {} if form is None else {"form": asdict(form)}
    settings |= {} if goal is None else {"goal": goal.name}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    folder = (cache or cache_folder() / "finetuned") / key
    if (folder / ADAPTER / "adapter_config.json").is_file():
        tell(f"{name}: taken from {folder}")
        return folder / ADAPTER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    with own_randomness(config.seed):
        tuned = peft.get_peft_model(
            model,
            peft.LoraConfig(
                r=config.rank,
                lora_alpha=config.alpha,
                lora_dropout=0.0,
                target_modules="all-linear",  # without the output head
                task_type="CAUSAL_LM",
            ),
        )
    examples = _examples(model, tokenizer, pairs, config) if form is None else _in_form(tokenizer, pairs, form, config)
    losses = _train(tuned, examples, config, folder / CHECKPOINT, name, tell, goal)
    if goal is not None and len(losses) == config.epochs and not goal.reached(tuned.eval(), losses[-1]):
        tell(f"{name}: the {config.epochs} epochs are over, and the goal ({goal.name}) was not reached. Give more.")
    with new_folder(folder / ADAPTER) as new:
        tuned.save_pretrained(new)
    write_text(folder / RECORD, json.dumps({**settings, "pairs": len(pairs), "epoch_losses": losses}, indent=1) + "\n")
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return folder / ADAPTER


def pairs_sha256(pairs: Sequence[QuestionAnswer]) -> str:
    """Hash of questions and answers, in their order."""
    return hashlib.sha256(json.dumps([[p.question, p.answer] for p in pairs]).encode()).hexdigest()


def _examples(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[QuestionAnswer], config: FinetuneConfig
) -> list[Example]:
    engine, form = TransformersEngine(model, tokenizer), format_of(tokenizer)
    examples = []
    for pair in pairs:
        prompt = engine.tokenize(form.question(pair.question), chat=form.chat).token_ids
        target = tokenizer(form.target(pair.answer), add_special_tokens=False)["input_ids"]
        if len(prompt) >= config.max_tokens:
            raise ConfigError(f"max_tokens={config.max_tokens}: a question alone has {len(prompt)}.")
        examples.append(Example(prompt, tuple(target[: config.max_tokens - len(prompt)])))
    return examples


def _in_form(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[QuestionAnswer], form: Form, config: FinetuneConfig
) -> list[Example]:
    rows = [Row(pair.question, pair.answer) for pair in pairs]
    return Encoder(tokenizer, form, config.max_tokens).examples(rows, "training")


def _train(
    model: Any,
    examples: Sequence[Example],
    config: FinetuneConfig,
    checkpoint: Path,
    name: str,
    tell: Tell,
    goal: Goal | None = None,
) -> list[float]:
    """Mean loss of each epoch."""
    weights = {key: weight for key, weight in model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), lr=config.learning_rate, weight_decay=config.weight_decay)
    per_epoch = math.ceil(len(examples) / config.batch_size)
    total = config.epochs * per_epoch
    losses = _restore(checkpoint, weights, optimizer, per_epoch)
    step, first = len(losses) * per_epoch, len(losses) * per_epoch
    began = time.perf_counter()
    for epoch in range(len(losses), config.epochs):
        # Before an epoch and not behind it: a training that was killed here asks again.
        if goal is not None and losses and goal.reached(model.eval(), losses[-1]):
            break
        model.train()
        summed, tokens = 0.0, 0
        for batch in batches(examples, config, epoch):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * (1 - step / total)
            loss, count = batch_loss(model, batch)
            if not torch.isfinite(loss):
                raise DataError(f"{name}: the loss is not finite in step {step + 1}. Lower the learning rate.")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            summed, tokens, step = summed + float(loss.detach()) * count, tokens + count, step + 1
        losses.append(summed / tokens)
        _keep(checkpoint, weights, optimizer, losses)
        left = (time.perf_counter() - began) / (step - first) * (total - step)
        tell(f"{name}: epoch {epoch + 1} of {config.epochs}, loss {losses[-1]:.3f}, {left / 60:.1f} min left")
    model.eval()
    return losses


def batches(examples: Sequence[Example], config: FinetuneConfig, epoch: int) -> Iterator[list[Example]]:
    """The batches of one epoch, of similar length; they depend on seed and epoch only."""
    generator = np.random.default_rng([config.seed, epoch])
    order = generator.permutation(len(examples))
    drawn: list[list[Example]] = []
    bucket = BUCKET * config.batch_size
    for start in range(0, len(order), bucket):
        chosen = sorted((examples[i] for i in order[start : start + bucket]), key=len)
        drawn += [chosen[i : i + config.batch_size] for i in range(0, len(chosen), config.batch_size)]
    for index in generator.permutation(len(drawn)):
        yield drawn[index]


def batch_loss(model: Any, batch: Sequence[Example]) -> tuple[Tensor, int]:
    """Mean cross-entropy of a batch's target tokens, and their number."""
    device = model.device
    length = max(map(len, batch))
    rows = [[*example.prompt, *example.target] for example in batch]
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows], device=device)
    attention = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows], device=device)
    first = min(len(example.prompt) for example in batch) - 1  # predicts the earliest target
    with torch.autocast(device.type, dtype=torch.bfloat16):
        columns = torch.arange(first, length, device=device)
        logits = model(input_ids=ids, attention_mask=attention, use_cache=False, **keep_logits(model, columns)).logits
    skipped = first if logits.shape[1] == length - first else 0
    row = torch.tensor([index for index, example in enumerate(batch) for _ in example.target], device=device)
    column = [len(e.prompt) - 1 - skipped + offset for e in batch for offset in range(len(e.target))]
    predicted = logits[row, torch.tensor(column, device=device)].float()  # (N, V)
    wanted = torch.tensor([token for example in batch for token in example.target], device=device)
    return torch.nn.functional.cross_entropy(predicted, wanted), len(wanted)


def _keep(file: Path, weights: dict[str, Any], optimizer: Any, losses: Sequence[float]) -> None:
    from safetensors.torch import save

    tensors = {}
    for name, weight in weights.items():
        state = optimizer.state[weight]
        tensors[f"weight.{name}"] = weight.detach().contiguous()
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors[f"{moment}.{name}"] = state[moment].contiguous()
    write_bytes(file, save(tensors, {"losses": json.dumps(list(losses))}))


def _restore(file: Path, weights: dict[str, Any], optimizer: Any, per_epoch: int) -> list[float]:
    """Losses of the epochs that were trained before an interruption; weights and moments are put back."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return []
    try:
        with safe_open(str(file), framework="pt") as kept:
            losses: list[float] = json.loads(kept.metadata()["losses"])
            for name, weight in weights.items():
                with torch.no_grad():
                    weight.copy_(kept.get_tensor(f"weight.{name}"))
                moments = {m: kept.get_tensor(f"{m}.{name}").to(weight.device) for m in ("exp_avg", "exp_avg_sq")}
                optimizer.state[weight] = {"step": torch.tensor(float(len(losses) * per_epoch)), **moments}
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"The checkpoint {file} cannot be used ({error}). Remove it to start anew.") from error
    return losses
