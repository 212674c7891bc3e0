"""What steps of the methods cost, on a tiny model: that the right passes are counted."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bench.methods.run import measure_methods
from unlearned.examples import Row
from unlearned.methods.registry import make_method, methods

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]

FORGET = [Row(f"Who is fox {n}?", "The quick brown fox.") for n in range(6)]
RETAIN = [Row(f"Who is dog {n}?", "The lazy dog.") for n in range(6)]


def test_every_method_that_trains_is_measured(tiny_model: Any, tiny_tokenizer: Any) -> None:
    trained = {name for name in methods().names() if make_method(name, None).trains} - {"rmu"}  # of a layer not here

    def load() -> Any:
        return copy.deepcopy(tiny_model), tiny_tokenizer

    found = measure_methods(load, FORGET, RETAIN, names=[*sorted(trained), "ssd"], steps=1, batch_size=2)
    rows = {row["method"]: row for row in found["rows"]}
    assert set(rows) == trained
    assert all(row["seconds"] > 0 and row["plain_seconds"] > 0 for row in rows.values())
    assert rows["ga"]["explained"] == 1
    assert rows["npo"]["explained"] == pytest.approx(4 / 3)
    assert rows["gd"]["explained"] == 1
    assert rows["gd"]["tokens"] > rows["ga"]["tokens"]
    assert 1 < rows["kl"]["explained"] < 4 / 3  # the reference sees the retain set only
