"""Every request is on record before its answer is out, and what ends it early is on record, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from unlearned.server.middleware import RecordingMiddleware
from unlearned.server.service import Service

Send = Callable[[Any], Any]


def lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.gate.log.file.getvalue().splitlines()]  # type: ignore[union-attr]


async def in_two_pieces(scope: Any, receive: Any, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for body, more in ((b"a", True), (b"b", False)):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def receive() -> Any: ...


def run(service: Service, app: Any, send: Send, path: str = "/v1/models", method: str = "GET") -> None:
    scope = {"type": "http", "path": path, "method": method}
    asyncio.run(RecordingMiddleware(app, service.gate)(scope, receive, send))


def test_an_answer_is_on_record_before_its_end_leaves(service: Service) -> None:
    """Nobody can ask for the numbers, or read the log, between an answer and its count."""
    logged: list[int] = []

    async def send(message: Any) -> None:
        logged.append(len(lines(service)))

    async def lost(message: Any) -> None:
        if message.get("body") == b"b":
            raise OSError("gone")

    before = len(lines(service))
    run(service, in_two_pieces, send)
    assert logged == [before, before, before + 1]
    with pytest.raises(OSError, match="gone"):
        run(service, in_two_pieces, lost)
    answered, told = lines(service)[before + 1 :]
    assert answered["id"] in told["event"]
    assert "OSError" in told["event"]


def test_the_answer_names_the_request_and_the_log_its_route_and_method(service: Service) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    for path, method, shown in (
        ("/v1/models/tiny", "GET", ("/v1/models", "GET")),
        ("/v1/modelsx", "PUT", ("other", "PUT")),
        ("/v1/completions", "Who is Potter?", ("/v1/completions", "other")),
        ("/who/is/potter", "", ("other", "other")),
    ):
        sent.clear()
        run(service, in_two_pieces, send, path, method)
        line = lines(service)[-1]
        assert (line["route"], line["method"]) == shown
        assert (b"x-request-id", line["id"].encode()) in sent[0]["headers"]


def test_the_text_of_an_error_is_not_logged_and_half_an_answer_is_cut_off(service: Service) -> None:
    async def send(message: Any) -> None: ...

    async def fails(scope: Any, receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("Who is Harry Potter?")

    with pytest.raises(ValueError, match="Potter"):
        run(service, fails, send)
    line = lines(service)[-1]
    assert line["error"].startswith("ValueError at test_middleware.py:")
    assert "Potter" not in json.dumps(line)


def test_a_client_that_left_has_status_499_and_one_that_does_not_read_is_let_go(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    async def send(message: Any) -> None:
        await asyncio.sleep(10)

    async def leaves(scope: Any, receive: Any, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(service, leaves, send)
    line = lines(service)[-1]
    assert (line["status"], line["error"]) == (499, "cancelled")
    monkeypatch.setattr(service.gate, "config", replace(service.gate.config, write_timeout=0.01))
    with pytest.raises(asyncio.TimeoutError):
        run(service, in_two_pieces, send)
    assert lines(service)[-1]["error"].startswith("TimeoutError")


def test_what_is_no_request_is_passed_on(service: Service) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    before = len(lines(service))
    asyncio.run(RecordingMiddleware(app, service.gate)({"type": "lifespan"}, receive, receive))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
    assert len(lines(service)) == before
