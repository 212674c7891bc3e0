"""Written numbers are compared with computed ones, place by place."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearned.benchmarks.tofu.recompute import _pairs, _same, _shown, recompute
from unlearned.errors import DataError


def test_every_value_of_both_is_met_and_what_is_missing_is_none() -> None:
    written = {"a": 1, "rows": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "only": True}
    computed = {"a": 1, "rows": [{"name": "x", "v": 1}, {"name": "y", "v": 3}], "new": 4}
    found = {place: (one, other) for place, one, other in _pairs(written, computed, "")}
    assert found == {
        "a": (1, 1),
        "rows[x].name": ("x", "x"),
        "rows[x].v": (1, 1),
        "rows[y].name": ("y", "y"),
        "rows[y].v": (2, 3),
        "new": (None, 4),
        "only": (True, None),
    }
    assert list(_pairs([1], [1, 2], "list")) == [("list", [1], [1, 2])]
    assert list(_pairs([0.5, 1], [0.5, 2], "l")) == [("l[0]", 0.5, 0.5), ("l[1]", 1, 2)]


def test_numbers_are_the_same_but_for_the_order_of_a_sum() -> None:
    for one, other, same in (
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.001, False),
        (0.0, 1e-12, True),
        (1, 1.0, True),
        (True, 1.0, True),
        (True, False, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (None, 0.0, False),
        ("a", "a", True),
        (None, None, True),
    ):
        assert _same(one, other) is same, (one, other)
    assert _shown(1 / 3) == "0.333333"
    assert len(_shown("x" * 100)) == 40


def test_a_folder_without_a_models_items_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="start"):
        recompute(tmp_path, {"models": [{"name": "start"}]})
    with pytest.raises(DataError):
        recompute(tmp_path, {"models": []})
