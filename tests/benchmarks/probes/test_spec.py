"""Items of a model come to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from probes_rows import silent, write

from tiny_rows import FORGET
from unlearned.api import Unlearned
from unlearned.benchmarks.probes.ask import ask
from unlearned.benchmarks.probes.config import AskConfig
from unlearned.benchmarks.probes.data import load_questions
from unlearned.benchmarks.probes.spec import BEST, LOGITS, OWN, RELEARNING, REPEAT, aggregate
from unlearned.benchmarks.systems import Corrupted

pytestmark = pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")


def test_items_of_a_model_come_to_layers_repeat_and_relearning(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    view = Unlearned(tiny_model, tiny_tokenizer, make_artifact())
    questions, _ = load_questions(write(tmp_path, rows))
    items = ask(Corrupted("eco", view), questions, AskConfig(max_new_tokens=4, facts=2), silent)
    values = aggregate(items)
    assert set(values) == {*(f"layer {n:02d}" for n in range(4)), LOGITS, BEST, OWN, REPEAT, RELEARNING}
    assert values[LOGITS]["chance"].value == 0.25  # every letter is right once
    assert values[LOGITS]["accuracy"].count == len(rows)
    assert values[BEST]["accuracy"].value == max(values[f"layer {n:02d}"]["accuracy"].value for n in range(4))
    repeated = [item for item in items if item["set"] == REPEAT]
    assert [item["flagged"] for item in repeated[: len(FORGET)]] == [1.0] * len(FORGET)
    assert all((item["recovered"] is not None) == bool(item["flagged"]) for item in repeated)
    told = [item for item in items if item["set"] == RELEARNING]
    assert {item["fact_flagged"] for item in told} <= {0.0, 1.0}
    assert told[0]["fact_flagged"] == 1.0
