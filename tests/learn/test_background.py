"""The kept vectors of the general prompts: worked out once for each encoder, and never needed to be right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unlearned.classify.sentences import PROBE
from unlearned.learn import background as module
from unlearned.learn.background import background_vectors

LONG = " ".join(f"This is sentence {n} of a long prompt about the sea." for n in range(40))
PROMPTS = ["Is seven a prime?", "Write a **poem**. Then translate it.", LONG, "Is seven a prime?"]


class Encoder:
    """The bag-of-words encoder under a name, counting what it is asked."""

    def __init__(self, inner: Any, name: str = "counting", factor: float = 1.0) -> None:
        self.inner, self.name, self.factor = inner, name, factor
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.asked.extend(texts)
        return self.inner.encode(texts) * np.float32(self.factor)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("UNLEARNED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "background_prompts", lambda: list(PROMPTS))
    return tmp_path / "cache"


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[text], other[text]) for text in one)


def test_prompts_and_their_windows_have_the_encoders_own_vectors(bag_of_words: Any) -> None:
    found = background_vectors(Encoder(bag_of_words))
    expected = {"Is seven a prime?", "Write a poem. Then translate it.", "Write a poem.", "Then translate it."}
    assert expected <= set(found)
    assert LONG in found
    assert sum("sentence 7 of" in text for text in found) >= 3  # the prompt, its clause, a run of clauses
    texts = list(found)
    assert np.array_equal(np.stack([found[text] for text in texts]), bag_of_words.encode(texts))


def test_a_second_fit_reads_them_and_asks_only_the_probe(bag_of_words: Any, cache: Path) -> None:
    first = background_vectors(Encoder(bag_of_words))
    again = Encoder(bag_of_words)
    assert _equal(background_vectors(again), first)
    assert again.asked == [PROBE]
    assert [path.suffix for path in cache.iterdir()] == [".npy"]  # and no scratch file


@pytest.mark.parametrize("change", [{"name": "another"}, {"factor": -1.0}])
def test_another_encoder_gets_its_own(bag_of_words: Any, cache: Path, change: dict[str, Any]) -> None:
    background_vectors(Encoder(bag_of_words))
    other = Encoder(bag_of_words, **change)
    found = background_vectors(other)
    assert len(other.asked) > len(found)
    assert np.array_equal(found["Write a poem."], bag_of_words.encode(["Write a poem."])[0] * np.float32(other.factor))
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "shape", "type"])
def test_a_damaged_file_is_worked_out_again(bag_of_words: Any, cache: Path, damage: str) -> None:
    first = background_vectors(Encoder(bag_of_words))
    (file,) = cache.iterdir()
    content = file.read_bytes()
    if damage in ("shape", "type"):
        array = np.load(file, allow_pickle=False)
        np.save(file, array[:-1] if damage == "shape" else array.astype(np.float64))
    else:
        file.write_bytes({"cut": content[:-5], "empty": b"", "text": b"hello"}[damage])
    again = Encoder(bag_of_words)
    assert _equal(background_vectors(again), first)
    assert len(again.asked) > 5
    assert file.read_bytes() == content


def test_a_pickled_file_is_not_unpickled(bag_of_words: Any, cache: Path) -> None:
    first = background_vectors(Encoder(bag_of_words))
    (file,) = cache.iterdir()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert _equal(background_vectors(Encoder(bag_of_words)), first)


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(
    bag_of_words: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder should be")
    one, other = Encoder(bag_of_words), Encoder(bag_of_words)
    assert _equal(background_vectors(one), background_vectors(other))
    assert one.asked == other.asked
    assert cache.read_text() == "a file where the folder should be"
