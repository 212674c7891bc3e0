"""A number over the logs of two models means something only if they answered the same questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unlearned.benchmarks.tofu.log import Generated, SetLog, other_splits


def _log(truths: list[str] | None, ids: list[int]) -> SetLog:
    count = len(ids)
    losses: dict[str, Any] = {
        "answer_losses": np.ones(count),
        "paraphrased_losses": np.ones(count),
        "wrong_losses": np.ones((count, 2)),
        "rouge_recall": np.ones(count),
    }
    generated = None if truths is None else tuple(Generated(f"{t}?", "x", t) for t in truths)
    return SetLog(ids=np.array(ids), generated=generated, **losses)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (["a", "b", "c"], ["c ", "a"], None),  # a log that was cut short
        (["a", "b", "c"], ["x", "y"], "share no question"),
        (["a", "b", "c"], ["a", "y", "z"], "share 1 of 3 questions"),
        (None, ["x", "y"], "not known"),
    ],
)
def test_logs_of_different_splits_are_told_from_logs_that_were_cut_short(
    first: list[str] | None, second: list[str], said: str | None
) -> None:
    logs = _log(first, [0, 1, 2]), _log(second, list(range(len(second))))
    found = other_splits(*logs)
    assert found == other_splits(*reversed(logs))
    assert (found is None) if said is None else said in (found or "")
