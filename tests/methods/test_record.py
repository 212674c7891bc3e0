"""The record tells what was trained, on what and how."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from method_rows import RETAIN, Train
from trained import record

from unlearned.methods.config import TrainConfig
from unlearned.methods.record import fingerprint, recipe_record
from unlearned.methods.registry import make_method

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


def test_the_record_tells_what_was_done(train: Train) -> None:
    folder = train("npo", settings={"beta": "0.5"}, epochs=2)
    found = record(folder)
    assert (found["method"], found["settings"]["beta"], found["config"]["epochs"]) == ("npo", 0.5, 2)
    assert found["data"]["forget"]["rows"] == 3
    pairs = [[row["prompt"], row["answer"]] for row in RETAIN]
    assert found["data"]["retain"]["sha256"] == hashlib.sha256(json.dumps(pairs).encode()).hexdigest()
    assert (found["steps"], len(found["history"])) == (4, 4)
    # Before the first step the model is its own reference.
    assert found["history"][0]["term_forget"] == pytest.approx(2 * math.log(2) / 0.5, rel=1e-5)
    assert {"torch", "transformers", "peft", "accelerate"} <= found["versions"].keys()
    assert {path.name for path in folder.iterdir()} >= {"model.safetensors", "config.json", "tokenizer.json"}
    assert not [path for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth")]


def test_the_number_of_processes_is_part_of_what_was_trained(fresh: Any) -> None:
    def of(name: str, processes: int) -> dict[str, Any]:
        method = make_method(name)
        config = TrainConfig(accumulation=1).filled(method.recipe, adapter=False, processes=processes)
        return recipe_record(name, method, config, fresh, [], [], processes)

    assert of("ga", 2)["processes"] == 2
    assert fingerprint(of("ga", 2)) != fingerprint(of("ga", 1))
    assert "processes" not in of("ga", 1)
    assert "processes" not in of("ssd", 2)  # each does the same there, and one writes
