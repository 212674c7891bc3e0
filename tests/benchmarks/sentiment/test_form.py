"""A review stands in the form of its data set."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.sentiment.form import BEFORE, FORM, asked, fitted, label_tokens, written
from unlearned.errors import ConfigError
from unlearned.methods.data import Encoder


def test_a_prompt_is_three_fields_and_only_the_review_is_content(tiny_tokenizer: Any) -> None:
    prompt = asked(tiny_tokenizer, "a joy")
    assert prompt.text == (
        "### Text: a joy\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment:"
    )
    (segment,) = prompt.segments
    assert prompt.text[segment.start : segment.end] == "a joy"
    # What is trained on is what is asked, and its target is the label alone.
    example = Encoder(tiny_tokenizer, FORM, 512).pair("a joy", "positive")
    assert example.prompt == prompt.token_ids
    assert tiny_tokenizer.decode(example.target) == " positive"


def test_long_reviews_lose_their_own_end_and_nothing_else(tiny_tokenizer: Any) -> None:
    long = "the quick brown fox and " * 30
    short = fitted(tiny_tokenizer, long, 120, reserved=8)
    ids = asked(tiny_tokenizer, short).token_ids
    assert long.startswith(short)
    assert 100 < len(ids) <= 112
    assert written(short).endswith("### Sentiment:")
    assert fitted(tiny_tokenizer, "a joy", 120, reserved=8) == "a joy"
    with pytest.raises(ConfigError, match="no room"):
        fitted(tiny_tokenizer, long, 40, reserved=8)
    assert BEFORE + short in written(long)[: len(BEFORE) + len(short)]


def test_labels_are_told_apart_by_the_token_behind_what_they_share(tiny_tokenizer: Any) -> None:
    shared, tokens = label_tokens(tiny_tokenizer, ("negative", "positive"))
    first = tiny_tokenizer(" negative", add_special_tokens=False)["input_ids"]
    assert shared == tuple(first[: len(shared)])
    assert tokens[0] == first[len(shared)]
    assert tokens[0] != tokens[1]
    with pytest.raises(ConfigError, match="no one token"):
        label_tokens(tiny_tokenizer, ("good", "goodness"))
