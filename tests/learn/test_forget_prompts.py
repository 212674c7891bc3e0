"""The shortcut that learning takes to corrupted prompts gives what inference gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cases import every
from unlearned.corrupt.corruption import Corruption
from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import UnlearnedError
from unlearned.learn.forget_prompts import ForgetPrompts, plain, whole
from unlearned.types import Prompt
from unlearned.unlearners.eco import ECO

CHAT = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Who is Harry Potter?"},
    {"role": "assistant", "content": "A wizard."},
    {"role": "user", "content": "And what is Hogwarts? It is a school of magic, is it?"},
]
SELECTORS = ["spans", "all_but_last", "attribution"]


def _prompts(engine: TransformersEngine) -> list[Prompt]:
    """One token; one message; a conversation; no template."""
    texts = ["?", "Tell me about Hogwarts magic. Where is it?"]
    return [*(engine.tokenize(text) for text in texts), engine.tokenize(CHAT), engine.tokenize(texts[1], chat=False)]


def _corruption(function: str) -> Corruption:
    part = corruptions.get(function)
    arrays = np.random.default_rng(0).standard_normal((7, 32)).astype(np.float32)
    stored = {"bank": arrays, "direction": arrays[0] / np.linalg.norm(arrays[0])}
    return Corruption(
        function=function,
        strength=0.75 if part.takes_sigma else None,
        dims=5 if part.takes_dims else None,
        embedding_std=0.5,
        stored={name: stored[name] for name in part.stored},
    )


@pytest.mark.parametrize("function", corruptions.names())
@every("selector", SELECTORS)
def test_a_corrupted_training_prompt_is_exactly_what_inference_makes_of_it(
    engine: TransformersEngine, make_scope: Any, function: str, selector: str
) -> None:
    prompts, corruption = _prompts(engine), _corruption(function)
    scope = make_scope(selector=selector, corruption=Corruption(strength=1.0))  # another one than is probed
    eco = ECO([replace(scope, corruption=corruption)])
    found = ForgetPrompts(engine, scope, prompts).inputs(corruption)
    for prompt, one in zip(prompts, found, strict=True):
        other = eco.corrupt(prompt, whole(prompt, scope.name), engine)
        assert one.token_ids == other.token_ids == prompt.token_ids
        assert one.verdict == other.verdict
        assert torch.equal(one.positions, other.positions)
        assert one.positions.tolist() == sorted(one.positions.tolist())
        assert one.vectors.dtype == other.vectors.dtype
        assert torch.equal(one.vectors, other.vectors)


def test_every_corruption_really_changes_something(engine: TransformersEngine, make_scope: Any) -> None:
    prompts = _prompts(engine)[1:]
    forget_prompts = ForgetPrompts(engine, make_scope(), prompts)
    for function in corruptions.names():
        for prompt, one in zip(prompts, forget_prompts.inputs(_corruption(function)), strict=True):
            assert not torch.equal(one.vectors, engine.embed(prompt.token_ids)[one.positions]), function


def test_embeddings_are_looked_up_once_however_often_it_is_asked(
    engine: TransformersEngine, make_scope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[Any] = []
    embed = engine.embed
    monkeypatch.setattr(engine, "embed", lambda ids: looked_up.append(tuple(ids)) or embed(ids))
    prompts = _prompts(engine)
    forget_prompts = ForgetPrompts(engine, make_scope(), prompts)
    for strength in (0.5, 1.0, 2.0):
        forget_prompts.inputs(Corruption(strength=strength))
    assert looked_up == [prompt.token_ids for prompt in prompts]


def test_what_was_made_before_is_not_changed_by_what_is_made_next(engine: TransformersEngine, make_scope: Any) -> None:
    forget_prompts = ForgetPrompts(engine, make_scope(), _prompts(engine))
    first = forget_prompts.inputs(Corruption(strength=1.0))
    before = [one.vectors.clone() for one in first]
    forget_prompts.inputs(Corruption(strength=9.0))
    again = forget_prompts.inputs(Corruption(strength=1.0))
    assert all(torch.equal(a.vectors, b) and torch.equal(c.vectors, b) for a, b, c in zip(first, before, again))  # noqa: B905


def test_the_noise_of_two_strengths_is_the_same_noise(engine: TransformersEngine, make_scope: Any) -> None:
    forget_prompts = ForgetPrompts(engine, make_scope(), _prompts(engine))
    none, one, two = (forget_prompts.inputs(Corruption(strength=strength)) for strength in (0.0, 1.0, 2.0))
    for a, b, c in zip(none, one, two, strict=True):
        torch.testing.assert_close(2 * (b.vectors - a.vectors), c.vectors - a.vectors)


def test_all_words_but_a_system_message_are_in_scope(engine: TransformersEngine, make_scope: Any) -> None:
    prompt = engine.tokenize(CHAT)
    [found] = ForgetPrompts(engine, make_scope(), [prompt]).inputs(Corruption(strength=1.0))
    words = "".join(prompt.text[slice(*prompt.offsets[p])] for p in found.positions.tolist())
    assert words == "".join(message["content"] for message in CHAT[1:])
    assert {span.scope for span in found.verdict.spans} == {"harry-potter"}


def test_a_prompt_of_only_a_system_message_is_in_scope_as_a_whole(engine: TransformersEngine) -> None:
    prompt = engine.tokenize(CHAT[:1])
    assert [prompt.text[s.start : s.end] for s in whole(prompt, "x").spans] == ["You help."]


def test_a_prompt_without_a_content_token_is_named(engine: TransformersEngine, make_scope: Any) -> None:
    prompt = engine.tokenize("<|end|>", chat=False)
    with pytest.raises(UnlearnedError, match=r"'<\|end\|>' has no token that could be corrupted\. Leave it out"):
        ForgetPrompts(engine, make_scope(), [prompt]).inputs(Corruption(strength=1.0))


def test_plain_prompts_are_the_models_own(engine: TransformersEngine) -> None:
    prompts = _prompts(engine)
    assert [p.token_ids for p in plain(prompts)] == [p.token_ids for p in prompts]
    assert not any(p.corrupted or p.verdict.in_scope for p in plain(prompts))
