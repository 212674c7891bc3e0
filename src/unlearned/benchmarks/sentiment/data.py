"""Reviews to forget and to keep: the published splits, or the same recipe on plain rows.

Source: SPUL, arXiv:2406.12038. Which people (SST-2) and which clusters (Yelp) were forgotten there is not published, so
a set that is made here is of the same kind, but not the same set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearned.benchmarks.sentiment.clusters import choose_clusters, cluster, nearest_centre
from unlearned.benchmarks.sentiment.config import Name, SentimentSplit
from unlearned.benchmarks.sentiment.people import Finder, choose_people, mentions, names_by_spelling, tagger
from unlearned.benchmarks.source import DataRow, Source, text_of
from unlearned.classify.sentences import sentence_encoder
from unlearned.embedded import MINILM
from unlearned.errors import DataError

HUB: dict[Name, str] = {
    "sst2": "karuna-bhaila/Unlearning_SST2",
    "yelp": "karuna-bhaila/Unlearning_Yelp_Polarity",
}
SETS = ("train_forget", "train_retain", "test_forget", "test_retain")
SHARE: dict[Name, float] = {"sst2": 0.03, "yelp": 0.05}
"""Share of the training rows that the published splits forget."""

LABELS = ("negative", "positive")
TEXT, LABEL = ("text", "sentence", "review"), ("label_text", "label")
FRACTION_SEED = 42


@dataclass(frozen=True, slots=True)
class Review:
    """A text and its label's word."""

    id: str
    """Split and row number there, from 0."""

    text: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentData:
    """Everything that one run needs."""

    sets: Mapping[str, tuple[Review, ...]]
    """The four of `SETS`."""

    how: Mapping[str, Any]
    """How the sets were made, as JSON has it."""

    sha256: Mapping[str, str]
    """Split that was read -> hash."""


def load_sentiment(place: str | Path, chosen: SentimentSplit) -> SentimentData:
    """Read the four sets, or make them of a training and a test split.

    Args:
        place: a folder with `train_forget`, `train_retain`, `test_forget` and `test_retain` (`.jsonl`, `.json`, `.csv`)
            or with `train` and one of `dev`, `validation` and `test`; or a hub name.
        chosen: which reviews.

    Raises:
        DataError: a file is missing, a row lacks a column, or nothing is left to forget or to retain.
        ModelLoadError: there is no such tagger or text encoder.
    """
    source = Source(place)
    source.needs_several(*SETS)
    if source.find(SETS[:1]):
        sets = {name: _reviews(source, _found(source, (name,), place)) for name in SETS}
        how: dict[str, Any] = {"recipe": "published splits"}
    else:
        train = _reviews(source, _found(source, ("train",), place))
        known = {review.text for review in train}
        test = _reviews(source, _found(source, ("dev", "validation", "test"), place))
        test = [review for review in test if review.text not in known]
        divide, how = _recipe(chosen, [review.text for review in train])
        sets = {}
        for name, reviews in (("train", train), ("test", test)):
            forgotten = divide([review.text for review in reviews])
            for side, wanted in (("forget", True), ("retain", False)):
                sets[f"{name}_{side}"] = [r for r, f in zip(reviews, forgotten, strict=True) if f is wanted]
    if empty := [name for name in SETS if not sets[name]]:
        raise DataError(f"No review is left in {empty[0]}. Give more rows, or another --share or --seed.")
    how["rows"] = {name: len(sets[name]) for name in SETS}
    return SentimentData(sets=_drawn(sets, chosen), how=how, sha256=source.sha256)


def _found(source: Source, names: Sequence[str], place: str | Path) -> str:
    split = source.find(names)
    if split is None:
        raise DataError(
            f"{place} has no {' or '.join(names)} (.jsonl, .json or .csv). Give the four sets {', '.join(SETS)}, or "
            "train and one of dev, validation, test."
        )
    return split


def _reviews(source: Source, split: str) -> list[Review]:
    rows = source.rows(split, (TEXT, LABEL))
    return [_review(row, f"{split}/{number}") for number, row in enumerate(rows)]


def _review(row: DataRow, place: str) -> Review:
    word = row.get("label_text")
    label = str(row.get("label") if word is None else word).strip().lower()
    if label in ("0", "1"):
        label = LABELS[int(label)]
    if label not in LABELS:
        raise DataError(f"{place}: the label must be 0 or 1, or negative or positive, not {label!r}.")
    return Review(place, text_of(row, TEXT, place).strip(), label)


def _recipe(
    chosen: SentimentSplit, train: Sequence[str]
) -> tuple[Callable[[Sequence[str]], list[bool]], dict[str, Any]]:
    """Texts -> which are to be forgotten; and what was chosen."""
    share = SHARE[chosen.dataset] if chosen.share is None else chosen.share
    if chosen.dataset == "sst2":
        find: Finder = names_by_spelling if chosen.tagger is None else tagger(chosen.tagger)
        people = choose_people(train, find, share, chosen.seed)

        def mentioned(texts: Sequence[str]) -> list[bool]:
            held = {index for indices in mentions(people, texts).values() for index in indices}
            return [index in held for index in range(len(texts))]

        return mentioned, {"recipe": "people", "found by": chosen.tagger or "given names", "people": people}
    encoder = sentence_encoder()
    vectors = encoder.encode(train)
    centres = cluster(vectors, chosen.clusters, chosen.seed)
    sizes = np.bincount(nearest_centre(vectors, centres), minlength=chosen.clusters)
    forgotten = choose_clusters(sizes, share, chosen.seed)

    def near(texts: Sequence[str]) -> list[bool]:
        return [int(index) in forgotten for index in nearest_centre(encoder.encode(texts), centres)]

    return near, {
        "recipe": "clusters",
        "encoder": MINILM,
        "sizes": sizes.tolist(),
        "forgotten": forgotten,
    }


def _drawn(sets: Mapping[str, Sequence[Review]], chosen: SentimentSplit) -> dict[str, tuple[Review, ...]]:
    """The ablation's share of the forget rows, then at most so many of each, in their order."""
    forget = sets["train_forget"]
    if chosen.fraction < 1:
        kept = max(1, round(chosen.fraction * len(forget)))
        forget = _some(forget, kept, FRACTION_SEED)
    most = {"train_forget": chosen.forget_rows, "train_retain": chosen.retain_rows}
    whole = {**sets, "train_forget": forget}
    return {
        name: tuple(_some(whole[name], most.get(name, chosen.test_rows), [chosen.seed, number]))
        for number, name in enumerate(SETS)
    }


def _some(reviews: Sequence[Review], most: int | None, seed: int | Sequence[int]) -> Sequence[Review]:
    if most is None or most >= len(reviews):
        return reviews
    return [reviews[i] for i in sorted(np.random.default_rng(seed).choice(len(reviews), most, replace=False))]
