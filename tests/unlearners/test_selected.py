"""The tokens of a flagged prompt are found once, and nothing flagged reaches the model as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import UnlearnedError
from unlearned.types import Prompt, Span, Verdict
from unlearned.unlearners.selected import Selection, selection

TEXT = "How do I bake bread? Who is Harry Potter?"
STRONG = Corruption(strength=3.0, embedding_std=0.02)


@pytest.fixture(scope="module")
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


@pytest.fixture
def prompt(engine: TransformersEngine) -> Prompt:
    return engine.tokenize(TEXT)


def flagged(prompt: Prompt, *texts: str, scope: str = "harry-potter") -> Verdict:
    places = [(prompt.text.index(text), len(text)) for text in texts]
    return Verdict(tuple(Span(start, start + length, scope, 0.9) for start, length in places), 0.9)


def chosen(prompt: Prompt, engine: TransformersEngine, scopes: dict[str, Any], *texts: str) -> Selection:
    return selection(prompt, flagged(prompt, *texts), scopes, engine, substitutes=False)


def test_exactly_the_tokens_of_the_spans_are_corrupted(
    prompt: Prompt, engine: TransformersEngine, make_scope: Any
) -> None:
    scopes = {"harry-potter": make_scope()}
    found = chosen(prompt, engine, scopes, "Who is Harry Potter?", "bake")
    read = found.read(scopes, lambda name: STRONG)
    assert read.positions is not None
    assert read.vectors is not None
    places = read.positions.tolist()
    assert places == sorted(set(places))
    said = "".join(prompt.text[slice(*prompt.offsets[place])] for place in places)
    assert said.replace(" ", "") == "bakeWhoisHarryPotter?"
    plain = engine.embed(prompt.token_ids)[places]
    assert (read.vectors - plain).abs().amax(dim=1).min() > 0
    assert read.token_ids == prompt.token_ids
    assert read.substitution is None


def test_the_same_words_get_the_same_noise_and_another_strength_another_one(
    prompt: Prompt, engine: TransformersEngine, make_scope: Any
) -> None:
    scopes = {"harry-potter": make_scope()}
    found = chosen(prompt, engine, scopes, "Who is Harry Potter?")
    once, again = (found.read(scopes, lambda name: STRONG) for _ in range(2))
    assert once.vectors is not None
    assert again.vectors is not None
    assert torch.equal(once.vectors, again.vectors)
    zero = found.read(scopes, lambda name: Corruption(strength=0.0, embedding_std=0.02))
    assert zero.vectors is not None
    assert zero.positions is not None
    assert torch.equal(zero.vectors, engine.embed(prompt.token_ids)[zero.positions])


def test_a_fixed_answer_hides_the_tokens_whatever_is_scored(
    prompt: Prompt, engine: TransformersEngine, make_scope: Any
) -> None:
    found = chosen(prompt, engine, {"harry-potter": make_scope()}, "Who is Harry Potter?")
    hidden = found.hidden("No.")
    assert hidden.answer == "No."
    assert hidden.vectors is not None
    assert not hidden.vectors.any()
    assert hidden.positions is not None
    assert len(hidden.positions) == len(hidden.vectors)


def test_a_flagged_prompt_without_a_token_to_corrupt_is_refused(engine: TransformersEngine, make_scope: Any) -> None:
    empty = engine.tokenize(" ", chat=True)
    verdict = Verdict((Span(0, 1, "harry-potter", 0.9),), 0.9)
    with pytest.raises(UnlearnedError):
        selection(empty, verdict, {"harry-potter": make_scope()}, engine, substitutes=False)
