"""Routes that every engine shares: checks without an answer, artifacts at run time, health, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.errors import PromptError
from unlearned.extras import require
from unlearned.prompts.own_words import in_own_words
from unlearned.prompts.tools import as_json
from unlearned.server.body import json_body
from unlearned.server.gate import Gate
from unlearned.server.record import RequestRecord
from unlearned.server.refusals import RefusalError
from unlearned.server.schemas import ArtifactRequest, ChatMessage, CheckRequest, validated
from unlearned.server.state import Who
from unlearned.types import Prompt, Span, Verdict, messages_only, text_only

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response


def admin_router(gate: Gate) -> APIRouter:
    """The shared routes."""
    fastapi = require("fastapi", extra="serve", purpose="Serving")
    from starlette.responses import JSONResponse, Response

    router: APIRouter = fastapi.APIRouter()

    async def checks(request: Request) -> Response:
        gate.admit_admin(request)
        asked = validated(CheckRequest, await json_body(request, gate.config))
        given = _given(asked)
        prompts = [text_only(one) if isinstance(one, str) else _conversation(one) for one in given]
        enforced = gate.store.current
        verdicts = await gate.screener.check(prompts, enforced)
        request.state.record.verdicts, request.state.record.artifacts = verdicts, enforced.digest
        results = [shown(*one) for one in zip(verdicts, prompts, given, strict=True)]
        return JSONResponse({"results": results, "artifacts": enforced.digest})

    async def artifacts(request: Request) -> Response:
        gate.admit_admin(request)
        return JSONResponse(_artifacts(gate))

    async def put(request: Request) -> Response:
        gate.admit_admin(request, always=True)
        asked = validated(ArtifactRequest, await json_body(request, gate.config))
        await asyncio.to_thread(gate.store.put, request.path_params["name"], Path(asked.path), _who(request))
        return JSONResponse(_artifacts(gate))

    async def delete(request: Request) -> Response:
        gate.admit_admin(request, always=True)
        await asyncio.to_thread(gate.store.remove, request.path_params["name"], _who(request))
        return JSONResponse(_artifacts(gate))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        if not gate.ready():
            raise RefusalError(503, "The server cannot answer now.", code="not_ready")
        return JSONResponse({"status": "ready"})

    async def metrics(request: Request) -> Response:
        gate.admit_admin(request)
        return Response(gate.metrics_text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    for path, method, endpoint in (
        ("/v1/unlearned/checks", "POST", checks),
        ("/v1/unlearned/artifacts", "GET", artifacts),
        ("/v1/unlearned/artifacts/{name}", "PUT", put),
        ("/v1/unlearned/artifacts/{name}", "DELETE", delete),
        ("/health", "GET", health),
        ("/ready", "GET", ready),
        ("/metrics", "GET", metrics),
    ):
        router.add_route(path, endpoint, methods=[method])
    return router


def _who(request: Request) -> Who:
    record: RequestRecord = request.state.record
    return Who(key=record.key, request=record.id)


def _artifacts(gate: Gate) -> dict[str, Any]:
    current = gate.store.current
    return {
        "artifacts": [entry.shown() for entry in current.entries],
        "digest": current.digest,
        "problems": dict(gate.store.problems),
    }


def _given(asked: CheckRequest) -> list[str | list[dict[str, str]]]:
    """Texts, or one conversation."""
    if (asked.input is None) == (asked.messages is None):
        raise RefusalError(400, "Give either 'input' (a text or a list of texts) or 'messages'.", param="input")
    if asked.messages is not None:
        return [[_said(message) for message in asked.messages]]
    texts = [asked.input] if isinstance(asked.input, str) else list(asked.input or ())
    if not texts or not all(texts):
        raise RefusalError(400, "A text is empty.", param="input")
    return [*texts]


def _said(message: ChatMessage) -> dict[str, str]:
    """Role and words of a message; behind them, each call in it as JSON on a line of its own."""
    plain = message.plain()
    calls = [as_json(call["function"]) for call in plain.get("tool_calls", ())]
    return {"role": message.role, "content": "\n".join([words for words in (plain["content"], *calls) if words])}


def _conversation(messages: Sequence[Mapping[str, str]]) -> Prompt:
    return messages_only([(message["role"], message["content"]) for message in messages])


def shown(verdict: Verdict, prompt: Prompt, given: str | Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A verdict as JSON. Places are characters of the text, or of the content of the message that they name."""
    own = in_own_words(verdict, prompt, given)
    return {
        "flagged": verdict.in_scope,
        "scope": verdict.scope,
        "score": round(verdict.score, 6),
        "spans": [
            ({} if span.message is None else {"message": span.message})
            | {
                "start": span.start,
                "end": span.end,
                "scope": span.scope,
                "score": round(span.score, 6),
                "reason": span.reason,
                "text": _words(given, span)[span.start : span.end],
            }
            for span in own.spans
        ],
        "languages": list(verdict.languages),
        "exempted_by": [{"scope": by.scope, "example": by.example} for by in verdict.exempted_by],
    }


def _words(given: str | Sequence[Mapping[str, str]], span: Span) -> str:
    return given if isinstance(given, str) else given[span.message or 0]["content"]


async def refused(request: Request, error: Exception) -> Response:
    """Answers a `RefusalError`, a malformed prompt or a path that is not there in OpenAI's form."""
    from starlette.exceptions import HTTPException
    from starlette.responses import JSONResponse

    if isinstance(error, RefusalError):
        refusal = error
    elif isinstance(error, PromptError):
        refusal = RefusalError(400, str(error), code="invalid_prompt")
    elif isinstance(error, HTTPException):
        where = f"{request.method} {request.url.path}"
        refusal = RefusalError(error.status_code, f"{error.detail}: {where}", headers=error.headers)
    else:  # nothing of it reaches the client: its text may hold words of another prompt
        refusal = RefusalError(500, "The server failed on this request; nothing is answered.")
        return JSONResponse(refusal.body(), refusal.status)
    request.state.record.error = refusal.code or str(refusal.status)
    return JSONResponse(refusal.body(), refusal.status, refusal.headers)
