"""Every request is on record before its answer is out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from serving_helpers import Running

from unlearned.server.middleware import RecordingMiddleware


def test_an_answer_is_on_record_before_its_end_leaves(server: Running) -> None:
    """Nobody can ask for the numbers, or read the log, between an answer and its count."""
    gate = server.service.gate

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for body, more in ((b"a", True), (b"b", False)):
            await send({"type": "http.response.body", "body": body, "more_body": more})

    scope = {"type": "http", "path": "/v1/models"}
    logged: list[int] = []

    async def send(message: Any) -> None:
        logged.append(len(server.lines()))

    async def lost(message: Any) -> None:
        if message.get("body") == b"b":
            raise OSError("gone")

    async def receive() -> Any: ...

    before = len(server.lines())
    asyncio.run(RecordingMiddleware(app, gate)(dict(scope), receive, send))
    assert logged == [before, before, before + 1]
    with pytest.raises(OSError, match="gone"):
        asyncio.run(RecordingMiddleware(app, gate)(dict(scope), receive, lost))
    answered, told = server.lines()[before + 1 :]
    assert answered["id"] in told["event"]
    assert "OSError" in told["event"]
