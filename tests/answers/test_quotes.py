"""Runs of words of a text are known, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from unlearned.answers.guard import Bans
from unlearned.answers.quotes import QuoteFilter, runs, words
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.errors import ConfigError

TEXT = (
    "The ferryman's daughter counted the lanterns along the quay, one by one, and wrote each number "
    "into a blue book that nobody but she had ever opened."
)


def made(**more: object) -> QuoteFilter:
    found = QuoteFilter.of(b"k" * 32, [TEXT], **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_every_run_of_the_text_is_known_whatever_its_punctuation() -> None:
    quotes = made()
    own = words(TEXT.upper().replace(",", " --"))
    assert own[:3] == ["the", "ferrymans", "daughter"]
    assert all(run in quotes for run in runs(own, 9))
    assert quotes.count == len(own) - 8


def test_other_runs_are_not_known_but_for_the_stated_rate() -> None:
    generator = np.random.default_rng(0)
    own = words(TEXT)
    others = [tuple(generator.choice(own, 9)) for _ in range(20_000)]
    known, quotes = set(runs(own, 9)), made()
    assert sum(run in quotes for run in others if run not in known) == 0
    coarse = made(false_positives=0.05)
    rate = np.mean([run in coarse for run in others if run not in known])
    assert 0.005 < rate < 0.12
    assert len(coarse.bits) < len(quotes.bits)


def test_common_phrases_are_left_out_and_short_texts_give_no_filter() -> None:
    assert QuoteFilter.of(b"k" * 32, ["Only a few words."]) is None
    assert QuoteFilter.of(b"k" * 32, [TEXT], common=[TEXT]) is None
    assert made(bound=4).count == len(words(TEXT)) - 4


def test_another_secret_knows_nothing_of_it() -> None:
    quotes = made()
    other = QuoteFilter(b"x" * 32, quotes.bits, quotes.hashes, quotes.bound, quotes.count)
    assert not any(run in other for run in runs(words(TEXT), 9))


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="false_positives"):
        made(false_positives=0.0)
    with pytest.raises(ConfigError, match="bound"):
        made(bound=0)
    with pytest.raises(ValueError, match="filter"):
        QuoteFilter(b"k" * 32, np.zeros(0, dtype=np.uint8), 3)


def test_what_an_answer_says_unasked_is_what_its_prompt_does_not_hold() -> None:
    bans = Bans([Withheld(names=(ScopeName(name="Hogwarts", kind="place"),), quotes=made())])
    assert bans.unasked("Name a school.", "It is Hogwarts.")
    assert not bans.unasked("What is Hogwarts?", "Hogwarts is a school.")
    assert bans.unasked("Go on.", TEXT)
    assert not bans.unasked(TEXT, TEXT)
    assert not bans.unasked("Go on.", "The ferryman's daughter counted the lanterns.")
