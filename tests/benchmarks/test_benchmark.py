"""What a benchmark does not say of itself has a sensible default."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.benchmark import Benchmark, sha256_of
from unlearned.benchmarks.spec import specs
from unlearned.errors import ConfigError


class Quiz(Benchmark[list[str]]):
    """Asks what it was given."""

    spec = specs.get("eval")

    def rows(self, data: list[str]) -> dict[str, Any]:
        return {"first": data[:1], "rest": data[1:]}


def test_rows_are_known_by_what_they_say_and_their_order() -> None:
    quiz = Quiz()
    own = quiz.sha256(["a", "b", "c"])
    assert set(own) == {"first", "rest"}
    assert own == quiz.sha256(["a", "b", "c"])
    assert own["first"] == quiz.sha256(["a", "c", "b"])["first"]
    assert own["rest"] != quiz.sha256(["a", "c", "b"])["rest"]
    assert len({sha256_of(value) for value in ([], [""], ["a"], ("a",), "a", [1], ["1"])}) == 7


def test_nothing_more_is_decided_packaged_or_compared() -> None:
    quiz: Any = Quiz()
    assert (quiz.decides([]), quiz.about([]), quiz.others([], None), quiz.packages()) == ({}, {}, (), ())
    assert quiz.compared([1, 2]) == [1, 2]
    assert quiz.shards
    with pytest.raises(ConfigError):
        quiz.fit_inputs([], None)
