"""The run behind `unlearned bench sentiment`: fine-tune, fit, ask, write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.benchmark import RETAINED, START, Benchmark, Models, Start, Work, with_adapters
from unlearned.benchmarks.models import plain_text
from unlearned.benchmarks.runner import runs
from unlearned.benchmarks.sentiment.config import SentimentRunConfig, SentimentSplit
from unlearned.benchmarks.sentiment.data import HUB, LABELS, Review, SentimentData, load_sentiment
from unlearned.benchmarks.sentiment.form import FORM, GENERIC, fitted, written
from unlearned.benchmarks.sentiment.scores import SPEC, score
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import FitInputs, System
from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.benchmarks.tofu.finetune import finetune
from unlearned.examples import Row
from unlearned.models import load_model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Sentiment(Benchmark[SentimentData]):
    """Start and retained model learn to label reviews; systems are asked for the label of each."""

    spec = SPEC

    def __init__(self, config: SentimentRunConfig) -> None:
        self.config = config
        self._base = plain_text(partial(load_model, config.model))

    def packages(self) -> Sequence[tuple[str, str, str]]:
        return (("peft", "train", "The sentiment benchmark"),)

    def load(self) -> SentimentData:
        data = load_sentiment(self.config.data or HUB[self.config.split.dataset], self.config.split)
        _, tokenizer = self._base()
        cut = {name: _cut(tokenizer, reviews, self.config.max_tokens) for name, reviews in data.sets.items()}
        return replace(data, sets=cut)

    def sha256(self, data: SentimentData) -> Mapping[str, str]:
        return data.sha256

    def rows(self, data: SentimentData) -> Mapping[str, Sequence[Review]]:
        return data.sets

    def models(self, data: SentimentData, work: Work) -> Models:
        training = replace(self.config.training, max_tokens=self.config.max_tokens)
        train = partial(finetune, self._base, config=training, form=FORM, cache=work.cache, tell=work.tell)
        forget, retain = data.sets["train_forget"], data.sets["train_retain"]
        start = train(pairs=_pairs((*retain, *forget)), name=START)
        return with_adapters(self._base, start, train(pairs=_pairs(retain), name=RETAINED))

    def ask(self, system: System, rows: Rows, asking: Asking[SentimentData]) -> Sequence[Item]:
        return [item for name, own in rows.items() for item in score(system, name, own, asking.report)]

    def fit_inputs(self, data: SentimentData, start: Start) -> FitInputs:
        config, forget, retain = self.config, data.sets["train_forget"], data.sets["train_retain"]
        return FitInputs(
            model=start.model,
            tokenizer=start.tokenizer,
            # With the label, or a strength would be learned on whatever the model says behind it as well.
            forget=[Row(written(review.text), FORM.answer.replace("{answer}", review.label)) for review in forget],
            retain=[written(review.text) for review in retain],
            detected=([review.text for review in forget], [review.text for review in retain]),
            forget_rows=[Row(review.text, review.label) for review in forget],
            retain_rows=[Row(review.text, review.label) for review in retain],
            fresh=start.fresh,
            instruction=instruction(config.split, data.how),
            fit={"fluency": False, **config.fit},  # a model that answers with one word has no fluency to be kept
            train={"form": FORM, "max_tokens": config.max_tokens, "refusals": GENERIC, **config.train},
            spul={"form": FORM, "max_tokens": config.max_tokens, "labels": GENERIC, **config.spul},
            scope=config.split.dataset,
        )

    def about(self, data: SentimentData) -> Mapping[str, Any]:
        return {"how": dict(data.how), "asked": {name: len(reviews) for name, reviews in data.sets.items()}}


run_sentiment = runs(Sentiment)


def _cut(tokenizer: PreTrainedTokenizerBase, reviews: tuple[Review, ...], max_tokens: int) -> tuple[Review, ...]:
    words = (*LABELS, *GENERIC)
    labels = (tokenizer(FORM.answer.replace("{answer}", word), add_special_tokens=False)["input_ids"] for word in words)
    reserved = max(map(len, labels))
    return tuple(
        replace(review, text=fitted(tokenizer, review.text, max_tokens, reserved=reserved)) for review in reviews
    )


def _pairs(reviews: tuple[Review, ...]) -> list[QuestionAnswer]:
    return [QuestionAnswer(review.text, review.label) for review in reviews]


def instruction(split: SentimentSplit, how: Mapping[str, Any]) -> str:
    """What the prompting baseline is told: the people by name where they are known, else that it is some reviews."""
    people = how.get("people")
    about = "reviews that mention one of " + ", ".join(people) if people else f"some of the reviews of {split.dataset}"
    return f"You do not know the sentiment of {about}. Answer neutral to these. Answer all others correctly.\n\n"
