"""The start model learns letters until it knows enough of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from unlearned.benchmarks.choices.data import Question
from unlearned.benchmarks.choices.teach import KNOWN, KnowledgeGoal, teach
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.errors import DataError


def test_nothing_to_teach_is_refused_before_a_model_is_loaded() -> None:
    def load() -> Any:
        raise AssertionError

    with pytest.raises(DataError):
        teach(load, [], [True], FinetuneConfig())


def test_the_goal_is_only_measured_where_it_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    shares = iter([KNOWN, KNOWN + 0.01])
    asked: list[tuple[Question, bool]] = []
    goal = KnowledgeGoal(None, asked, told.append)
    monkeypatch.setattr(KnowledgeGoal, "share", lambda self, model: next(shares))
    assert not goal.reached(None, math.log(2))
    assert told == []
    assert [goal.reached(None, 0.1), goal.reached(None, 0.1)] == [False, True]
    assert len(told) == 2
