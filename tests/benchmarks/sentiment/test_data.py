"""Reviews to forget and to keep: which they are, and how they are written for a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentiment_rows import TRAIN

from unlearned.benchmarks.sentiment.config import SentimentSplit
from unlearned.benchmarks.sentiment.data import Review, load_sentiment
from unlearned.errors import ConfigError, DataError

TEST = [
    {"sentence": "mr. chan kicks again", "label": 1},
    {"sentence": "woody allen repeats himself", "label": 0},
    {"sentence": "bullock shines", "label": 1},
    {"sentence": "washington is stern", "label": 1},
    {"sentence": "nobody is in it", "label": 0},
    {"sentence": "jackie chan is dull here", "label": 0},
]


def write(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in splits.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_sst2_sets_are_divided_by_the_same_people(tmp_path: Path) -> None:
    data = load_sentiment(write(tmp_path, train=TRAIN, dev=TEST), SentimentSplit(share=0.1))
    (name,) = data.how["people"]
    surname = name.split()[1]
    for kind in ("train", "test"):
        assert all(surname in review.text for review in data.sets[f"{kind}_forget"])
        assert not any(surname in review.text for review in data.sets[f"{kind}_retain"])
    assert len(data.sets["train_forget"]) == 3
    assert len(data.sets["train_forget"]) + len(data.sets["train_retain"]) == len(TRAIN)
    # The last test row stands in the training set, too.
    assert len(data.sets["test_forget"]) + len(data.sets["test_retain"]) == len(TEST) - 1
    assert data.sets["train_retain"][0].id.startswith("train/")
    assert set(data.sha256) == {"train", "dev"}


def test_yelp_sets_are_clusters_and_test_rows_go_to_the_nearest(tmp_path: Path) -> None:
    food = ["The pizza was great.", "Cold pasta, rude waiter.", "Lovely soup and bread.", "The burger was dry."]
    cars = ["They fixed my brakes fast.", "My car came back broken.", "New tyres, fair price.", "The mechanic lied."]
    train = [
        {"text": text, "label_text": "positive" if i % 2 == 0 else "negative"} for i, text in enumerate(food + cars)
    ]
    test = [{"text": "Tasty noodles.", "label": 1}, {"text": "The garage changed my engine oil.", "label": 1}]
    place = write(tmp_path, train=train, test=test)
    data = load_sentiment(place, SentimentSplit(dataset="yelp", clusters=2, share=0.3))
    sides = [{review.text for review in data.sets[name]} for name in ("train_forget", "train_retain")]
    assert set(food) in sides
    assert set(cars) in sides
    assert len(data.sets["test_forget"]) == len(data.sets["test_retain"]) == 1
    assert ("noodles" in data.sets["test_forget"][0].text) == (set(food) == sides[0])


def test_published_splits_are_taken_as_they_are_and_drawn_from_with_a_seed(tmp_path: Path) -> None:
    rows = [{"text": f"review {i}", "label": i % 2, "label_text": ("negative", "positive")[i % 2]} for i in range(20)]
    place = write(tmp_path, train_forget=rows, train_retain=rows, test_forget=rows, test_retain=rows)
    data = load_sentiment(place, SentimentSplit(fraction=0.5, retain_rows=4, test_rows=3))
    assert {name: len(reviews) for name, reviews in data.sets.items()} == {
        "train_forget": 10, "train_retain": 4, "test_forget": 3, "test_retain": 3,
    }  # fmt: skip
    assert data.how["rows"]["train_forget"] == 20
    kept = [int(review.id.split("/")[1]) for review in data.sets["train_forget"]]
    assert kept == sorted(np.random.default_rng(42).choice(20, 10, replace=False))
    assert (
        load_sentiment(place, SentimentSplit(retain_rows=4, seed=1)).sets["train_retain"] != data.sets["train_retain"]
    )
    assert data.sets["test_retain"][0] in [
        Review(f"test_retain/{i}", f"review {i}", r["label_text"]) for i, r in enumerate(rows)
    ]


def test_one_file_cannot_be_all_four_sets(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\nfine,1\n")
    with pytest.raises(DataError, match="is one file"):
        load_sentiment(tmp_path / "reviews.csv", SentimentSplit())


def test_csv_and_whole_json_are_read_alike(tmp_path: Path) -> None:
    rows = [{"text": 'so-so, "fine"', "label": 1}, {"text": "bad", "label": 0}]
    write(tmp_path, train_retain=rows, test_forget=rows)
    (tmp_path / "train_forget.csv").write_text('text,label\n"so-so, ""fine""",1\nbad,0\n')
    (tmp_path / "test_retain.json").write_text(json.dumps(rows, indent=1))
    sets = load_sentiment(tmp_path, SentimentSplit()).sets
    assert len({tuple((r.text, r.label) for r in reviews) for reviews in sets.values()}) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "fine"}], "row 1: no column 'label_text' or 'label'"),
        ([{"text": "fine", "label": 1}, {"label": 1}], "row 2: no column 'text' or 'sentence' or 'review'"),
        ([{"text": "fine", "label": -1}], "train_forget/0: the label must be 0 or 1"),
        ([{"text": " ", "label": 1}], "column 'text': must be a text that is not empty"),
        ([], "has no rows"),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_sentiment(write(tmp_path, train_forget=rows), SentimentSplit())


def test_a_place_without_the_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        load_sentiment("./nowhere", SentimentSplit())
    with pytest.raises(DataError, match="has no train "):
        load_sentiment(tmp_path, SentimentSplit())
    with pytest.raises(ConfigError, match="dataset='imdb'"):
        SentimentSplit(dataset="imdb")  # type: ignore[arg-type]
