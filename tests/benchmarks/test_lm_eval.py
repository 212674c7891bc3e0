"""Tasks of the harness as a benchmark: each counts the same, and a group is one set."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.lm_eval import ALL, aggregate


def item(group: str, task: str, score: float, **more: Any) -> dict[str, Any]:
    return {"set": group, "task": task, "score": score, **more}


def test_all_tasks_count_the_same() -> None:
    items = [item("a", "a", 1.0)] * 9 + [item("b", "b", 0.0)]
    assert aggregate(items)[ALL]["score"].value == pytest.approx(0.5)


def test_a_group_counts_every_question_alike_and_its_tasks_stand_below_it() -> None:
    found = aggregate([item("g", "x", 1.0), item("g", "x", 1.0), item("g", "y", 0.0)])
    assert list(found) == [ALL, "g", "g: x", "g: y"]
    assert [found[name]["score"].value for name in ("g", "g: x", "g: y")] == pytest.approx([2 / 3, 1.0, 0.0])


def test_a_measure_that_some_row_lacks_is_no_measure_of_its_set() -> None:
    found = aggregate([item("a", "a", 1.0, acc_norm=1.0), item("b", "b", 0.0)])
    assert found["a"]["acc_norm"].value == 1.0
    assert "acc_norm" not in found["b"]
    assert found[ALL]["acc_norm"].value == 1.0
    assert aggregate([]) == {}
