"""Routes that every engine shares: checks without an answer, artifacts at run time, health, metrics."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.engines.tools import as_json
from unlearned.errors import PromptError
from unlearned.extras import require
from unlearned.server.body import json_body
from unlearned.server.gate import Gate
from unlearned.server.record import Record
from unlearned.server.refusals import RefusalError
from unlearned.server.schemas import ArtifactRequest, ChatMessage, CheckRequest, validated
from unlearned.server.state import Who
from unlearned.stages import Prompt, Verdict, messages_only, text_only

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
        prompts = _prompts(asked)
        enforced = gate.store.current
        verdicts = await gate.screener.check(prompts, enforced)
        request.state.record.verdicts, request.state.record.artifacts = verdicts, enforced.digest
        results = [shown(prompt, verdict) for prompt, verdict in zip(prompts, verdicts, strict=True)]
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
    record: Record = request.state.record
    return Who(key=record.key, request=record.id)


def _artifacts(gate: Gate) -> dict[str, Any]:
    current = gate.store.current
    return {
        "artifacts": [entry.shown() for entry in current.entries],
        "digest": current.digest,
        "problems": dict(gate.store.problems),
    }


def _prompts(asked: CheckRequest) -> list[Prompt]:
    if (asked.input is None) == (asked.messages is None):
        raise RefusalError(400, "Give either 'input' (a text or a list of texts) or 'messages'.", param="input")
    if asked.messages is not None:
        return [messages_only([part for message in asked.messages for part in _said(message)])]
    texts = [asked.input] if isinstance(asked.input, str) else list(asked.input or ())
    if not texts or not all(texts):
        raise RefusalError(400, "A text is empty.", param="input")
    return [text_only(text) for text in texts]


def _said(message: ChatMessage) -> list[tuple[str, str]]:
    """Role and words of a message, and of each call in it as JSON."""
    plain = message.plain()
    calls: list[tuple[str, str]] = [(message.role, as_json(call["function"])) for call in plain.get("tool_calls", ())]
    return [(message.role, plain["content"]), *calls] if plain["content"] or not calls else calls


def shown(prompt: Prompt, verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON. Places are characters of the text, or of the messages' contents joined by line breaks."""
    return {
        "flagged": verdict.in_scope,
        "scope": verdict.scope,
        "score": round(verdict.score, 6),
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "scope": span.scope,
                "score": round(span.score, 6),
                "reason": span.reason,
                "text": prompt.text[span.start : span.end],
            }
            for span in verdict.spans
        ],
        "languages": list(verdict.languages),
        "exempted_by": [{"scope": by.scope, "example": by.example} for by in verdict.exempted_by],
    }


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
