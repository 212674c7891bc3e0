"""Around vLLM's own server: keys, limits, checks without an answer, artifacts at run time, metrics and the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from unlearned.server.admin import admin_router, refused
from unlearned.server.body import parsed, raw_body
from unlearned.server.gate import Gate
from unlearned.server.keys import Access
from unlearned.server.middleware import RecordingMiddleware
from unlearned.server.record import RequestRecord
from unlearned.server.refusals import RefusalError
from unlearned.server.verdict_headers import verdict_headers
from unlearned.vllm.enforcer import RECORD
from unlearned.vllm.front import NO_EMBEDDINGS, current

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/health", "/ping", "/version")
"""Tell nothing."""

OWN = ("/v1/unlearned", "/ready")

ANSWERING = (
    "/v1/chat/completions",
    "/v1/chat/completions/batch",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/inference/v1/generate",
)
"""Reach the model with prompts that are checked; for clients."""

HARMLESS = (
    "/v1/models",
    "/v1/responses/",
    "/tokenize",
    "/detokenize",
    "/v1/messages/count_tokens",
    "/v1/chat/completions/render",
    "/v1/completions/render",
)
"""Do not reach the model; for clients. Everything that is not named here is for administrators."""


class AccessMiddleware:
    """ASGI middleware, which vLLM puts around its application."""

    def __init__(self, app: ASGIApp) -> None:
        self.gate = current().gate
        self._whole = RecordingMiddleware(_Checked(app, self.gate), self.gate)
        _one_thread()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # speech in pieces, which cannot be checked as a whole
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "Not protected, so closed."})
            return
        await self._whole(scope, receive, send)


def _one_thread() -> None:
    """Copying a few rows takes 80 times as long when two threads wait for each other on busy cores."""
    import torch

    torch.set_num_threads(1)


class _Checked:
    """Decides who may ask what, before and after vLLM's application."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        from fastapi import FastAPI
        from starlette.exceptions import HTTPException

        self.app, self.gate = app, gate
        self._own = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self._own.include_router(admin_router(gate))
        for kind in (RefusalError, HTTPException, Exception):
            self._own.add_exception_handler(kind, refused)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await self.app(scope, receive, send)
            return
        from starlette.requests import Request

        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/")
        record: RequestRecord = scope["state"]["record"]
        if any(path == own or path.startswith(f"{own}/") for own in OWN):
            await self._own(scope, receive, send)
            return
        try:
            await self._passed(request, path, record, receive, send)
        except RefusalError as error:
            response = await refused(request, error)
            await response(scope, receive, send)

    async def _passed(self, request: Request, path: str, record: RequestRecord, receive: Receive, send: Send) -> None:
        """Hand a request on that may be asked; raises `RefusalError` for others."""
        if path in OPEN:
            await self.app(request.scope, receive, send)
        elif path == "/metrics":
            self.gate.admit_admin(request)
            await self._metrics(request.scope, receive, send)
        elif path in ANSWERING and request.method == "POST":
            access = self.gate.admit(request)
            body = await raw_body(request, self.gate.config)
            if parsed(body, self.gate.config.max_json_depth).get("prompt_embeds") is not None:
                # Where vLLM does not read it, it would be ignored in silence.
                raise RefusalError(400, NO_EMBEDDINGS, param="prompt_embeds")
            await self._answered(request.scope, _again(body, receive), send, record, access)
        elif any(path == name or (name.endswith("/") and path.startswith(name)) for name in HARMLESS):
            self.gate.admit(request)
            await self.app(request.scope, receive, send)
        else:
            self.gate.admit_admin(request, always=request.method not in ("GET", "HEAD"))
            await self.app(request.scope, receive, send)

    async def _answered(
        self, scope: Scope, receive: Receive, send: Send, record: RequestRecord, access: Access
    ) -> None:
        """An answer's status waits for its first piece: by then the prompt was checked, or could not be."""
        start: Message | None = None
        replaced = False

        async def held(message: Message) -> None:
            nonlocal start, replaced
            if replaced:  # vLLM's own words about the error
                return
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                if record.refusal is not None:
                    replaced = True
                    await _refuse(record.refusal, scope, receive, send)
                    return
                if record.verdicts is not None:
                    record.stream = _streams(start)
                    if record.stream:
                        record.timings["first_token"] = record.since_start()
                    headers = verdict_headers(record, access)
                    start["headers"] = [*start["headers"], *((k.encode(), v.encode()) for k, v in headers.items())]
                await send(start)
                start = None
            await send(message)

        token = RECORD.set(record)
        try:
            await self.app(scope, receive, held)
        finally:
            RECORD.reset(token)

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """vLLM's own numbers, and ours below them."""
        own = self.gate.metrics_text()

        async def longer(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
                await send({**message, "headers": kept})
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "body": message.get("body", b"") + b"\n" + own})
            else:
                await send(message)

        # Compressed numbers could not be added to.
        plain = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, longer)


def _streams(start: Message) -> bool:
    return any(value.startswith(b"text/event-stream") for name, value in start["headers"] if name == b"content-type")


async def _refuse(refusal: RefusalError, scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.responses import JSONResponse

    await JSONResponse(refusal.body(), refusal.status, refusal.headers)(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Any]]:
    """A body that was read, for the next reader; after it what comes from the client."""
    read = False

    async def wrapper() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return wrapper
