"""The pieces of a stream are the whole answer, and whoever stops reading ends it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from tiny_llama import tiny_llama
from unlearned.engines.sampling import RowSettings
from unlearned.engines.streaming import stream
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import InjectionError
from unlearned.types import PromptInput


@pytest.fixture(scope="module")
def engine(tiny_tokenizer: Any) -> TransformersEngine:
    torch.manual_seed(3)
    return TransformersEngine(tiny_llama(tiny_tokenizer, initializer_range=0.3).eval(), tiny_tokenizer)


def prompt(engine: TransformersEngine, text: str = "The quick brown fox", **more: Any) -> PromptInput:
    return PromptInput(engine.tokenize(text, chat=False).token_ids, **more)


def streaming() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "unlearned-stream"]


def test_pieces_add_up_to_the_answer(engine: TransformersEngine) -> None:
    for text in ("The quick brown fox", "Who is", "日本"):
        given = prompt(engine, text)
        pieces = list(stream(engine, given, RowSettings(max_new_tokens=24)))
        [whole] = engine.generate([given], max_new_tokens=24, do_sample=False)
        assert "".join(pieces) == whole.text, text
        assert all(pieces)
    assert streaming() == []


def test_a_fixed_answer_comes_without_the_model(engine: TransformersEngine) -> None:
    assert list(stream(engine, prompt(engine, answer="I cannot say."), RowSettings(max_new_tokens=1))) == [
        "I cannot say."
    ]


def test_whoever_stops_reading_ends_it(engine: TransformersEngine) -> None:
    calls: list[int] = []
    watch = engine.model.register_forward_hook(lambda *_: calls.append(1))
    pieces = stream(engine, prompt(engine), RowSettings(max_new_tokens=400))
    next(pieces)
    pieces.close()
    watch.remove()
    assert len(calls) < 400
    assert streaming() == []


def test_an_error_in_the_model_is_raised_where_the_pieces_are_read(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unlearned.engines.injection import EmbeddingInjection

    monkeypatch.setattr(EmbeddingInjection, "_after_embedding", lambda *_: None)
    given = prompt(engine, positions=torch.tensor([0]), vectors=torch.zeros(1, 32))
    with pytest.raises(InjectionError):
        list(stream(engine, given, RowSettings(max_new_tokens=4)))
    assert streaming() == []
