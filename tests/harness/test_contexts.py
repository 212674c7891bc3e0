"""A context is looked at once, and placed as the model reads it: whole, cut, or without what is in scope."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.api import Unlearned
from unlearned.artifact.fingerprint import base_model_record
from unlearned.engines.transformers import TransformersEngine
from unlearned.harness.contexts import Contexts

FLAGGED, PLAIN = "Who is Harry Potter?", "How do I bake bread?"


@pytest.fixture
def contexts(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> Contexts:
    record = base_model_record(TransformersEngine(tiny_model, tiny_tokenizer)).model_dump()
    return Contexts(Unlearned(tiny_model, tiny_tokenizer, make_artifact(**record)))


def ids(contexts: Contexts, text: str) -> list[int]:
    return list(contexts.llm.engine.tokenizer(text)["input_ids"])


def test_each_text_is_looked_at_once_and_nothing_in_the_empty_one(contexts: Contexts) -> None:
    told: list[int] = []
    contexts.look([FLAGGED, PLAIN, FLAGGED, ""], told.append)
    contexts.look([PLAIN, FLAGGED])
    assert (contexts.classified, sum(told)) == (2, 2)
    assert contexts.new([PLAIN, "Why?", "", "Why?"]) == ["Why?"]
    assert [contexts.flagged(text) for text in (FLAGGED, f"{FLAGGED} \n", PLAIN, "never seen")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_a_context_that_was_cut_is_corrupted_where_it_is_still_read(contexts: Contexts) -> None:
    text = f"{PLAIN} {FLAGGED} {PLAIN}"
    contexts.look([text, PLAIN])
    own = ids(contexts, text)
    whole = contexts.placed(text, own)
    assert whole is not None
    assert whole.positions is not None
    assert contexts.placed(PLAIN, ids(contexts, PLAIN)) is None
    assert contexts.placed("", []) is None
    cut = int(whole.positions[0]) + 1
    shorter = contexts.placed(text, own[cut:])
    assert shorter is not None
    assert shorter.positions is not None
    assert shorter.token_ids == tuple(own[cut:])
    assert shorter.positions.tolist() == [place - cut for place in whole.positions.tolist()[1:]]
    assert contexts.placed(text, own[cut:]) is shorter
    assert contexts.placed(text, own[int(whole.positions[-1]) + 1 :]) is None
    assert contexts.classified == 2


def test_other_tokens_of_the_same_text_are_looked_at_again(contexts: Contexts) -> None:
    contexts.look([FLAGGED])
    letters = [token for letter in FLAGGED for token in ids(contexts, letter)]
    found = contexts.placed(FLAGGED, letters)
    assert found is not None
    assert found.token_ids == tuple(letters)
    assert contexts.classified == 2


def test_a_context_that_nobody_looked_at_is_an_error(contexts: Contexts) -> None:
    with pytest.raises(KeyError):
        contexts.placed("never seen", [1])
