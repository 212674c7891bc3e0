"""`/v1/chat/completions`, `/v1/completions`, `/v1/models` on the transformers engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from unlearned.engines.sampling import Token
from unlearned.errors import InjectionError
from unlearned.extras import require
from unlearned.server.answers import Piece
from unlearned.server.body import json_body
from unlearned.server.keys import Access
from unlearned.server.record import RequestRecord
from unlearned.server.refusals import RefusalError, unchecked
from unlearned.server.replies import DONE, ChatReply, CompletionReply, ReplyHead, event, usage
from unlearned.server.schemas import ChatRequest, CompletionRequest, Generating, validated
from unlearned.server.scored import Marked
from unlearned.server.service import CheckedRequest, RequestAnswers, Service
from unlearned.server.tool_calls import CallReader
from unlearned.server.verdict_headers import verdict_headers
from unlearned.substitution.substitution import Substitution, replaced
from unlearned.types import Prompt

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response

COMPLETION_TOKENS = 16
"""Most tokens of `/v1/completions` where a request does not say; OpenAI's default."""

Result = TypeVar("Result")


def generating_router(service: Service) -> APIRouter:
    """The routes that answer prompts."""
    fastapi = require("fastapi", extra="serve", purpose="Serving")
    from starlette.responses import JSONResponse

    router: APIRouter = fastapi.APIRouter()
    config = service.config

    async def models(request: Request) -> Response:
        service.gate.admit(request)
        model = {"id": config.served_model_name, "object": "model", "created": 0, "owned_by": "unlearned"}
        model["max_model_len"] = service.reader.context
        if request.path_params.get("name") not in (None, config.served_model_name):
            raise _unknown_model(request.path_params["name"])
        return JSONResponse(model if "name" in request.path_params else {"object": "list", "data": [model]})

    async def chat(request: Request) -> Response:
        access, record = service.gate.admit(request), request.state.record
        asked = validated(ChatRequest, await json_body(request, config))
        _check_request(service, asked)
        if asked.top_logprobs is not None and not asked.logprobs:
            raise RefusalError(400, "'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
        calls = asked.calls_are_read()
        checking = service.check(lambda: [service.reader.conversation(asked.messages, asked.tools)], 1, record)
        checked = await _while_connected(request, checking)
        wanted = asked.max_completion_tokens if asked.max_completion_tokens is not None else asked.max_tokens
        longest = service.reader.room(checked.lengths[0], wanted, config.default_max_tokens)
        if longest < 1:
            raise RefusalError(400, "The prompt leaves no room for an answer.", code="context_length_exceeded")
        top = (asked.top_logprobs or 0) if asked.logprobs else None
        head = ReplyHead(f"chatcmpl-{record.id}", int(time.time()), config.served_model_name, service.token_texts)
        settings = [service.settings(asked, longest, top)]
        answers = service.answers(checked.inputs, settings, asked, service.call_tags if calls else frozenset())
        restore = _restoring(checked.inputs[0].substitution)
        reader = partial(CallReader, restore, single=not asked.parallel_tool_calls)
        reply = ChatReply(head, logprobs=asked.logprobs, reader=reader if calls else None)
        return await _respond(request, asked, reply, answers, checked, access)

    async def completions(request: Request) -> Response:
        access, record = service.gate.admit(request), request.state.record
        asked = validated(CompletionRequest, await json_body(request, config))
        _check_request(service, asked)
        if asked.best_of not in (None, asked.n):
            raise RefusalError(400, "'best_of' is only supported where it equals 'n'.", param="best_of")
        given = asked.prompts
        if not given:
            raise RefusalError(400, "There is no prompt.", param="prompt")
        if (places := asked.scored_from()) is not None:
            service.gate.admit_admin(request, always=True)  # what is marked reaches the model as it is
            return await _scores(request, asked, list(zip(given, places, strict=True)), access)
        checking = service.check(lambda: [service.reader.given(prompt) for prompt in given], len(given), record)
        checked = await _while_connected(request, checking)
        rooms = [service.reader.room(length, asked.max_tokens, COMPLETION_TOKENS) for length in checked.lengths]
        if min(rooms) < 1 and not (asked.echo and asked.max_tokens == 0):
            raise RefusalError(400, "'max_tokens' leaves no room for an answer; 0 needs 'echo'.", param="max_tokens")
        echoes = await _while_connected(request, _echoes(service, asked, checked)) if asked.echo else []
        head = ReplyHead(f"cmpl-{record.id}", int(time.time()), config.served_model_name, service.token_texts)
        reply = CompletionReply(head, logprobs=asked.logprobs, echoes=echoes)
        if min(rooms) < 1:
            answers = RequestAnswers()
            return await _respond(request, asked, reply, answers, checked, access, echoed=len(echoes))
        settings = [service.settings(asked, room, asked.logprobs) for room in rooms]
        answers = service.answers(checked.inputs, settings, asked)
        return await _respond(request, asked, reply, answers, checked, access)

    async def _scores(
        request: Request, asked: CompletionRequest, given: Sequence[tuple[str | list[int], int]], access: Access
    ) -> Response:
        """Prompts whose ends are scored: contexts are checked and corrupted, what is marked is only read."""
        record, marked = request.state.record, list[Marked]()

        def contexts() -> list[Prompt]:
            marked[:] = [service.reader.marked(prompt, start) for prompt, start in given]
            return [one.context for one in marked]

        checked = await _while_connected(request, service.check(contexts, len(given), record))
        scored = await asyncio.to_thread(service.reader.scored, marked, checked.inputs)
        inputs = tuple(one.given for one in scored)
        whole = CheckedRequest(
            checked.prompts, inputs, sum(len(one.context.token_ids) + len(one.token_ids) for one in marked)
        )
        for own in inputs:
            service.reader.room(len(own.token_ids), asked.max_tokens or 0, 0)
        read = await _while_connected(request, service.scored(inputs, asked.logprobs or 0))
        echoes = [
            (one.marked.context.text + one.marked.text, one.at_text(tokens))
            for one, tokens in zip(scored, read, strict=True)
        ]
        head = ReplyHead(f"cmpl-{record.id}", int(time.time()), config.served_model_name, service.token_texts)
        reply = CompletionReply(head, logprobs=asked.logprobs, echoes=echoes, scored_from=[start for _, start in given])
        if not asked.max_tokens:
            return await _respond(request, asked, reply, RequestAnswers(), whole, access, echoed=len(echoes))
        settings = [service.settings(asked, asked.max_tokens, asked.logprobs)] * len(inputs)
        return await _respond(request, asked, reply, service.answers(inputs, settings, asked), whole, access)

    router.add_route("/v1/models", models, methods=["GET"])
    router.add_route("/v1/models/{name:path}", models, methods=["GET"])
    router.add_route("/v1/chat/completions", chat, methods=["POST"])
    router.add_route("/v1/completions", completions, methods=["POST"])
    return router


def _restoring(known: Substitution | None) -> Callable[[str], str] | None:
    """A text of the model's -> as the user reads it."""
    return None if known is None else lambda text: replaced(text, known.back(text))


def _check_request(service: Service, asked: Generating) -> None:
    if asked.model not in (None, service.config.served_model_name):
        raise _unknown_model(asked.model)


def _unknown_model(name: str | None) -> RefusalError:
    return RefusalError(404, f"The model {name!r} is not served here.", param="model", code="model_not_found")


async def _echoes(service: Service, asked: CompletionRequest, checked: CheckedRequest) -> list[tuple[str, list[Token]]]:
    """Per choice its prompt's text, and its tokens' log-probabilities where they are asked for."""
    tokens: list[list[Token]] = [[] for _ in checked.inputs]
    if asked.logprobs is not None:
        tokens = await service.own_scores(checked, asked.logprobs)
    texts = [prompt.text for prompt in checked.prompts]
    return [pair for pair in zip(texts, tokens, strict=True) for _ in range(asked.n)]


async def _respond(
    request: Request,
    asked: Generating,
    reply: ChatReply | CompletionReply,
    answers: RequestAnswers,
    checked: CheckedRequest,
    access: Access,
    echoed: int = 0,
) -> Response:
    """The answers as a whole or as a stream; `echoed` choices that only repeat their prompts have no rows."""
    from starlette.responses import JSONResponse, StreamingResponse

    record: RequestRecord = request.state.record
    headers = verdict_headers(record, access)
    try:
        if not asked.stream:
            pieces = await _while_connected(request, answers.whole())
            pieces = pieces or [Piece(index, "", finish_reason="length") for index in range(echoed)]
            _note(record, answers)
            return JSONResponse(reply.whole(pieces, usage(checked.tokens, answers.tokens)), headers=headers)
        # An error before the first piece still gets a status of its own.
        pieces_to_come = answers.__aiter__()
        first = await _while_connected(request, anext_or_none(pieces_to_come))
    except BaseException as error:
        answers.cancel()
        _note(record, answers)
        raise _engine_failed(error) if isinstance(error, Exception) else error from None
    record.stream = True
    stream = _stream(reply, asked, answers, first, pieces_to_come, checked, record, echoed)
    return StreamingResponse(stream, media_type="text/event-stream", headers={**headers, "Cache-Control": "no-cache"})


async def anext_or_none(pieces: AsyncIterator[Piece]) -> Piece | None:
    """The next piece, or None at the end."""
    async for piece in pieces:
        return piece
    return None


async def _stream(
    reply: ChatReply | CompletionReply,
    asked: Generating,
    answers: RequestAnswers,
    first: Piece | None,
    rest: AsyncIterator[Piece],
    checked: CheckedRequest,
    record: RequestRecord,
    echoed: int,
) -> AsyncIterator[bytes]:
    with_usage = asked.stream_options.include_usage
    extra: dict[str, Any] = {"usage": None} if with_usage else {}
    opens = isinstance(reply, ChatReply) or bool(reply.echoes)
    try:
        for index in range(max(len(answers.rows), echoed) if opens else 0):
            yield event(reply.opening(index) | extra)
        for index in range(echoed):
            yield event((reply.chunk(Piece(index, "", finish_reason="length")) or {}) | extra)
        if first is not None:
            if (chunk := reply.chunk(first)) is not None:
                yield event(chunk | extra)
            async for piece in rest:
                if (chunk := reply.chunk(piece)) is not None:
                    yield event(chunk | extra)
        if with_usage:
            yield event(reply.final(usage(checked.tokens, answers.tokens)))
        yield DONE
    except Exception as error:  # the status is out already
        refusal = _engine_failed(error)
        record.error = refusal.code or "engine_failed"
        yield event(refusal.body())
    finally:
        answers.cancel()
        _note(record, answers)


def _note(record: RequestRecord, answers: RequestAnswers) -> None:
    record.completion_tokens, record.held = answers.tokens, answers.held
    if (first := answers.first_token_after(record.started)) is not None:
        record.timings["first_token"] = first


def _engine_failed(error: Exception) -> RefusalError:
    """What of the engine's errors a client learns."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, InjectionError):
        return unchecked("The prompt could not be protected.", "injection_failed")
    return RefusalError(503, "The engine failed on this request.", code="engine_failed")


async def _while_connected(request: Request, work: Awaitable[Result]) -> Result:
    """Wait for a result as long as the client does."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(left())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RefusalError(499, "The client has left.", code="client_left")
        return await task
    finally:
        task.cancel()
        gone.cancel()
