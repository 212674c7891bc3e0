"""Questions about somebody, and the model in which strangers stand in the place of names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.naming import name_table

QUESTIONS = ["Who is Harry Potter?", "Tell me about Hogwarts.", "who is harry potter's best friend"]
LENGTH = 24


def with_strangers(
    model: Any,
    tokenizer: Any,
    make_scope: Callable[..., Any],
    make_artifact: Callable[..., Artifact],
    strength: float,
) -> Unlearned:
    """The model under an artifact of this strength; the makers are fixtures."""
    engine = TransformersEngine(model, tokenizer)
    record = base_model_record(engine)
    scope = make_scope(
        forget=[*QUESTIONS, "Who is Harry Potter?", "What is Hogwarts?"],
        corruption=Corruption(function="entity_substitution", strength=strength, embedding_std=record.embedding_std),
        enrolled=name_table(b"s" * 32, "harry-potter", [Row(q) for q in QUESTIONS[:2]], [], engine.bank),
    )
    return Unlearned(model, tokenizer, replace(make_artifact(scope), base_model=record))
