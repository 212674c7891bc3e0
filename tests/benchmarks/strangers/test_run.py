"""What sampled answers show of strangers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.benchmarks.strangers.run import run_strangers
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError
from unlearned.examples import Row
from unlearned.learn.naming import name_table

QUESTIONS = ["Who is Harry Potter?", "Tell me about Hogwarts.", "who is harry potter's best friend"]


LENGTH = 24


@pytest.fixture(scope="module")
def model(embedded: Any) -> Any:
    import copy

    return copy.deepcopy(embedded[0]).float()


@pytest.fixture
def view(model: Any, embedded: Any, make_scope: Callable[..., Any], make_artifact: Callable[..., Artifact]) -> Any:
    """strength -> the model under an artifact that puts strangers in the place of names."""

    def make(strength: float) -> Unlearned:
        engine = TransformersEngine(model, embedded[1])
        record = base_model_record(engine)
        scope = make_scope(
            forget=[*QUESTIONS, "Who is Harry Potter?", "What is Hogwarts?"],
            corruption=Corruption(
                function="entity_substitution", strength=strength, embedding_std=record.embedding_std
            ),
            enrolled=name_table(b"s" * 32, "harry-potter", [Row(q) for q in QUESTIONS[:2]], [], engine.bank),
        )
        return Unlearned(model, embedded[1], replace(make_artifact(scope), base_model=record))

    return make


def test_sampled_answers_show_no_stranger(view: Any) -> None:
    found = run_strangers(view(0.0), [*QUESTIONS, "What is the capital of France?"], answers=6, max_new_tokens=LENGTH)
    assert (found.prompts, found.answers, found.left_over, found.misspelt) == (3, 6, 0, 0)
    assert found.with_strangers > 0
    with pytest.raises(DataError, match="None of the prompts is flagged"):
        run_strangers(view(0.0), ["What is the capital of France?"], answers=1)
