"""What a request does not say comes from the model, and answers to one request are told apart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from unlearned.server.answers import Piece
from unlearned.server.record import RequestRecord
from unlearned.server.refusals import RefusalError
from unlearned.server.schemas import ChatRequest, CompletionRequest, validated
from unlearned.server.service import CheckedRequest, RequestAnswers, Service
from unlearned.types import PromptInput, text_only

PLAIN = "What is the capital of France?"


def asked(**more: Any) -> ChatRequest:
    return validated(ChatRequest, {"messages": [{"role": "user", "content": PLAIN}], **more})


def test_settings_come_from_the_request_then_the_server_then_the_model_then_openai(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = service.engine.model.generation_config
    plain = service.settings(asked(), 5, None)
    assert (plain.max_new_tokens, plain.temperature, plain.top_p, plain.top_k) == (5, 1.0, 1.0, None)
    for name, value in (("do_sample", True), ("temperature", 0.3), ("top_p", 0.8), ("top_k", 7)):
        monkeypatch.setattr(own, name, value, raising=False)
    sampled = service.settings(asked(), 5, 2)
    assert (sampled.temperature, sampled.top_p, sampled.top_k, sampled.top_logprobs) == (0.3, 0.8, 7, 2)
    said = service.settings(asked(temperature=0, top_p=0.5, seed=3, logit_bias={"5": 1}), 5, None)
    assert (said.temperature, said.top_p, said.seed, dict(said.logit_bias)) == (0, 0.5, 3, {5: 1.0})
    monkeypatch.setattr(service, "config", replace(service.config, default_temperature=0.0))
    assert service.settings(asked(), 5, None).temperature == 0.0
    assert service.settings(asked(temperature=0.5), 5, None).temperature == 0.5


def test_a_request_is_checked_prepared_and_noted(service: Service) -> None:
    record = RequestRecord("/v1/completions", key="anna")

    async def check() -> CheckedRequest:
        texts = (PLAIN, "Who is Harry Potter?")
        return await service.check(lambda: [service.reader.given(text) for text in texts], 2, record)

    checked = asyncio.run(check())
    assert [prompt.owner for prompt in checked.prompts] == ["anna", "anna"]
    assert [given.corrupted for given in checked.inputs] == [False, True]
    assert record.verdicts is not None
    assert [verdict.in_scope for verdict in record.verdicts] == [False, True]
    assert checked.tokens == record.prompt_tokens == sum(len(prompt.token_ids) for prompt in checked.prompts)
    assert checked.lengths == [len(prompt.token_ids) for prompt in checked.prompts]
    assert record.timings["detection"] > 0
    assert record.prompts is None


def test_each_choice_of_each_prompt_has_its_place_and_its_seed(service: Service) -> None:
    async def answer() -> list[Piece]:
        inputs = [PromptInput(service.reader.given(text).token_ids) for text in ("The fox", "The dog")]
        request = validated(CompletionRequest, {"prompt": ["The fox", "The dog"], "n": 2, "seed": 5})
        settings = [service.settings(request, 3, None)] * 2
        answers = service.answers(inputs, settings, request)
        assert [row.index for row in answers.rows] == [0, 1, 2, 3]
        assert [row.settings.seed for row in answers.rows] == [5, 6, 5, 6]
        pieces = await answers.whole()
        assert answers.tokens == sum(len(piece.tokens) for piece in pieces)
        assert (answers.first_token_after(0.0) or 0) > 0
        return pieces

    pieces = asyncio.run(answer())
    assert [piece.index for piece in pieces] == [0, 1, 2, 3]
    assert {piece.finish_reason for piece in pieces} <= {"stop", "length"}


def test_more_answers_than_a_request_may_have_are_refused(service: Service) -> None:
    async def ask() -> None:
        service.answers([PromptInput((5,))], [service.settings(asked(), 1, None)], asked(n=17))

    with pytest.raises(RefusalError) as refused:
        asyncio.run(ask())
    assert (refused.value.status, refused.value.param) == (400, "n")


def test_an_error_of_one_row_is_the_requests_and_no_answers_are_nothing() -> None:
    async def read() -> list[Piece]:
        answers = RequestAnswers()
        assert await answers.whole() == []
        assert answers.first_token_after(0.0) is None
        answers.rows = [None, None]  # type: ignore[list-item]
        answers.take(Piece(0, "a"))
        answers.take(Piece(1, "", error=RuntimeError("gone")))
        return [piece async for piece in answers]

    with pytest.raises(RuntimeError, match="gone"):
        asyncio.run(read())


def test_what_stands_in_front_counts_for_the_context_and_is_not_told() -> None:
    prompt = text_only("a")
    prompt = replace(prompt, token_ids=(1, 2, 3))
    behind, fixed = PromptInput((9, 9, 1, 2, 3)), PromptInput((9, 9, 1, 2, 3), answer="No.")
    checked = CheckedRequest((prompt, prompt), (behind, fixed))
    assert (checked.lengths, checked.tokens) == ([5, 3], 6)
    assert CheckedRequest((prompt,), (behind,), length=10).tokens == 10
