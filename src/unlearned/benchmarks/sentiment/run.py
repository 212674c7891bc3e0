"""The run behind `unlearned bench sentiment`: fine-tune, fit, ask, write down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.benchmarks.models import Load, adapter_sha256, plain_text, with_adapter
from unlearned.benchmarks.results import Results, Shard, config_json, machine_of, part, write_results
from unlearned.benchmarks.runner import RETAINED, START, Trials
from unlearned.benchmarks.sentiment.data import HUB, LABELS, Review, SentimentData, SentimentSplit, load_sentiment
from unlearned.benchmarks.sentiment.form import FORM, GENERIC, fitted, written
from unlearned.benchmarks.sentiment.scores import KIND, score
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import FitInputs, Plain, System, check_systems, own_model
from unlearned.benchmarks.tofu.data import Pair
from unlearned.benchmarks.tofu.finetune import FinetuneConfig, finetune
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.methods.record import weights_sha256
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress, Tell

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAME = "sentiment"
DEFAULT = ("spul", "eco", "ga", "gd")


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentRunConfig:
    """One run."""

    data: str | None = None
    """Folder or hub name; None: the published splits of the data set."""

    model: ModelOptions = field(default_factory=ModelOptions)
    split: SentimentSplit = field(default_factory=SentimentSplit)
    unlearners: tuple[str, ...] = DEFAULT
    seeds: int = 1
    """Each unlearner is fitted with the seeds 0, 1, ..."""

    max_tokens: int = 1024
    """Of prompt and label; longer reviews are cut."""

    training: FinetuneConfig = field(default_factory=lambda: FinetuneConfig(epochs=3, learning_rate=3e-4))
    """Of start and retained model."""

    fit: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FitConfig` that replace its defaults."""

    train: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainConfig`, for all methods that change weights, or for one: `npo.epochs`."""

    spul: Mapping[str, Any] = field(default_factory=lambda: {"alpha": 1.0})
    """Fields of `SpulConfig`; alpha is the paper's of its headline rows."""

    def __post_init__(self) -> None:
        check_systems(self.unlearners, self.seeds, fit=self.fit, train=self.train, spul=self.spul)
        if self.model.adapter is not None:
            raise ConfigError("--adapter is not for this benchmark, which trains its own start model.")


def run_sentiment(
    config: SentimentRunConfig,
    out: Path,
    *,
    shard: Shard | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> Results:
    """Run, and write the outcome, the artifacts and the finished steps into the folder `out`.

    Args:
        config: what to run.
        out: made if it is not there; finished steps in it are kept if nothing that decides them has changed.
        shard: the part of the reviews that is asked; everything is fitted all the same.
        cache: of the trainings; None = beside the embedded model.
        on_progress: called with (phase, done, total).
        tell: called with lines about what takes long.

    Raises:
        DataError: the data is not there or not what it should be, or `out` cannot be written.
        MissingExtraError: `peft` or, for data of the hub, `datasets` is not installed.
    """
    report, tell = on_progress or (lambda phase, done, total: None), tell or (lambda line: None)
    require("peft", extra="train", purpose="The sentiment benchmark")  # now, and not after an hour
    data = load_sentiment(config.data or HUB[config.split.dataset], config.split)
    load = plain_text(partial(load_model, config.model))
    _, tokenizer = load()
    sets = {name: _cut(tokenizer, reviews, config.max_tokens) for name, reviews in data.sets.items()}
    training = replace(config.training, max_tokens=config.max_tokens)
    forget, retain = sets["train_forget"], sets["train_retain"]
    train = partial(finetune, load, config=training, form=FORM, cache=cache, tell=tell)
    start_adapter = train(pairs=_pairs((*retain, *forget)), name=START)
    retained_adapter = train(pairs=_pairs(retain), name=RETAINED)
    fresh: Load = partial(with_adapter, load, start_adapter)
    start = fresh()
    adapters = {START: adapter_sha256(start_adapter), RETAINED: adapter_sha256(retained_adapter)}

    def evaluate(model: System, phase: Progress) -> list[Item]:
        return [item for name, own in sets.items() for item in score(model, name, part(own, shard), phase)]

    fit = {"base": weights_sha256(start[0]), "adapter": adapters[START]}
    settings = {
        "data": dict(data.sha256),
        "split": asdict(config.split),
        "max_tokens": config.max_tokens,
        "base": fit["base"],
        "adapters": adapters,
    }
    trials = Trials(
        out, version=KIND.version, settings=settings, fit=fit, shard=shard, evaluate=evaluate, report=report, tell=tell
    )
    models = [
        trials.tested(START, lambda: Plain(START, TransformersEngine(*start), own_weights=True)),
        trials.tested(RETAINED, lambda: own_model(RETAINED, partial(with_adapter, load, retained_adapter))),
    ]
    materials = _materials(config, start, fresh, data, forget, retain)
    detected = [review.text for review in forget], [review.text for review in retain]
    models += trials.compared(config.unlearners, config.seeds, materials, detected)
    outcome = Results(
        kind=NAME,
        version=KIND.version,
        config=config_json(config),
        shard=shard,
        data=data.sha256,
        models=tuple(models),
        machine=machine_of(start[0]),
        extra={"how": dict(data.how), "asked": {name: len(reviews) for name, reviews in sets.items()}},
    )
    write_results(out, outcome)
    return outcome


def _cut(tokenizer: PreTrainedTokenizerBase, reviews: tuple[Review, ...], max_tokens: int) -> tuple[Review, ...]:
    words = (*LABELS, *GENERIC)
    labels = (tokenizer(FORM.answer.replace("{answer}", word), add_special_tokens=False)["input_ids"] for word in words)
    reserved = max(map(len, labels))
    return tuple(
        replace(review, text=fitted(tokenizer, review.text, max_tokens, reserved=reserved)) for review in reviews
    )


def _pairs(reviews: tuple[Review, ...]) -> list[Pair]:
    return [Pair(review.text, review.label) for review in reviews]


def _materials(
    config: SentimentRunConfig,
    start: tuple[PreTrainedModel, PreTrainedTokenizerBase],
    fresh: Load,
    data: SentimentData,
    forget: tuple[Review, ...],
    retain: tuple[Review, ...],
) -> FitInputs:
    return FitInputs(
        model=start[0],
        tokenizer=start[1],
        # With the label, or a strength would be learned on whatever the model says behind it as well.
        forget=[Row(written(review.text), FORM.answer.replace("{answer}", review.label)) for review in forget],
        retain=[written(review.text) for review in retain],
        forget_rows=[Row(review.text, review.label) for review in forget],
        retain_rows=[Row(review.text, review.label) for review in retain],
        fresh=fresh,
        instruction=instruction(config.split, data.how),
        fit={"fluency": False, **config.fit},  # a model that answers with one word has no fluency to be kept
        train={"form": FORM, "max_tokens": config.max_tokens, "refusals": GENERIC, **config.train},
        spul={"form": FORM, "max_tokens": config.max_tokens, "labels": GENERIC, **config.spul},
        scope=config.split.dataset,
    )


def instruction(split: SentimentSplit, how: Mapping[str, Any]) -> str:
    """What the prompting baseline is told: the people by name where they are known, else that it is some reviews."""
    people = how.get("people")
    about = "reviews that mention one of " + ", ".join(people) if people else f"some of the reviews of {split.dataset}"
    return f"You do not know the sentiment of {about}. Answer neutral to these. Answer all others correctly.\n\n"
