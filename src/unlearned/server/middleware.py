"""Around every request: a record of it, errors in OpenAI's form, and an end for clients that do not read."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from unlearned.server.gate import Gate
from unlearned.server.record import RequestRecord

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/models",
    "/v1/unlearned/checks",
    "/v1/unlearned/artifacts",
    "/health",
    "/ready",
    "/metrics",
)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


class RecordingMiddleware:
    """ASGI middleware, the outermost one.

    A request is counted and logged before the last piece of its answer leaves: who holds an answer finds it on record.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = RequestRecord(_route(scope["path"]), method=_method(scope))
        scope.setdefault("state", {})["record"] = record
        on_record = answered = False

        def finish() -> None:
            nonlocal on_record
            if not on_record:
                on_record = True
                self.gate.finished(record)

        async def watched(message: Message) -> None:
            nonlocal answered
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", record.id.encode())]
            if last:
                finish()
            await asyncio.wait_for(send(message), self.gate.config.write_timeout)
            answered = last

        try:
            await self.app(scope, receive, watched)
        except asyncio.CancelledError:
            record.error = record.error or "cancelled"
            raise
        except Exception as error:
            record.error = record.error or _where(error)
            if not answered:
                raise  # uvicorn closes the connection, so that half an answer does not look like a whole one
        finally:
            if on_record and record.error and not answered:
                self.gate.log.event(f"The end of the answer to request {record.id} was not sent: {record.error}")
            record.status = record.status or 499
            finish()


def _method(scope: Scope) -> str:
    return method if (method := str(scope.get("method", ""))) in METHODS else "other"


def _route(path: str) -> str:
    """A path as a label: what is not known is not repeated."""
    return next((route for route in ROUTES if path == route or path.startswith(f"{route}/")), "other")


def _where(error: Exception) -> str:
    """Kind and place of an error; not its text, which may hold words of a prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
