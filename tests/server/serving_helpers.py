"""A real server in a thread, and what tests ask of it."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from unlearned.server.config import ServeConfig
from unlearned.server.keys import Keys
from unlearned.server.record import Log
from unlearned.server.run import make_server, warm_up
from unlearned.server.service import Service
from unlearned.server.store import Sources

CLIENT, ADMIN = "sk-client", "sk-admin"
KEYS = Keys((CLIENT,), (ADMIN,))
PLAIN = "What is the capital of France?"
FLAGGED = "Who is Harry Potter?"


class Running:
    """A server that listens, with one HTTP client for it."""

    def __init__(self, service: Service, port: int, log: io.StringIO) -> None:
        self.service, self.log = service, log
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def post(self, path: str, body: Any, key: str | None = CLIENT) -> httpx.Response:
        return self.http.post(path, json=body, headers=bearer(key))

    def get(self, path: str, key: str | None = CLIENT) -> httpx.Response:
        return self.http.get(path, headers=bearer(key))

    def chat(self, messages: str | Sequence[Any], key: str | None = CLIENT, **more: Any) -> httpx.Response:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        body = {"model": "tiny", "messages": messages, "temperature": 0, "max_tokens": 8}
        return self.post("/v1/chat/completions", body | more, key)

    def complete(self, prompt: Any, key: str | None = CLIENT, **more: Any) -> httpx.Response:
        body = {"model": "tiny", "prompt": prompt, "temperature": 0, "max_tokens": 8}
        return self.post("/v1/completions", body | more, key)

    def is_flagged(self, response: httpx.Response) -> bool:
        """Of an administrator's request."""
        assert response.status_code == 200, response.text
        return response.headers["x-unlearned-verdict"] == "flagged"

    def lines(self) -> list[dict[str, Any]]:
        """The log so far; a line about a client that left is written just after it."""
        time.sleep(0.05)
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


@contextmanager
def serving(
    model: Any, tokenizer: Any, given: Sequence[Path] = (), *, folder: Path | None = None, **settings: Any
) -> Iterator[Running]:
    """A server on a free port; `settings` are those of `ServeConfig`, `state` and `audit`."""
    log = io.StringIO()
    sources = Sources(
        given=tuple(given), folder=folder, state=settings.pop("state", None), audit=settings.pop("audit", None)
    )
    config = ServeConfig(**{"port": 0, "served_model_name": "tiny", "keys": KEYS, **settings})
    service = Service(model, tokenizer, sources, config, Log(log))  # type: ignore[arg-type]
    warm_up(service)
    server = make_server(service)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), log.getvalue()
        time.sleep(0.01)
    running = Running(service, server.servers[0].sockets[0].getsockname()[1], log)
    try:
        yield running
    finally:
        running.http.close()
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive()


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that ended as it should."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]", response.text
    return [json.loads(line) for line in lines[:-1]]


def streamed(response: httpx.Response, index: int = 0) -> tuple[str, str | None]:
    """Text and finish reason of one choice of a stream."""
    choices = [choice for chunk in events(response) for choice in chunk["choices"] if choice["index"] == index]
    texts = [choice["delta"].get("content", "") if "delta" in choice else choice["text"] for choice in choices]
    return "".join(texts), choices[-1]["finish_reason"]
