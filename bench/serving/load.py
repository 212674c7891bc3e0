"""Many clients for minutes, some of whom leave early or send nonsense; the server may be killed meanwhile.

What an answer should be is found out before, one request at a time on the same server: its verdict must be the same
under load. Texts may differ where a batch adds up in another order, as they do between two runs of the plain engine;
they are counted, and the plain engine's beside them.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.serving.config import LoadConfig
from bench.serving.process import Server
from unlearned.errors import ConfigError
from unlearned.progress import Progress

BAD: tuple[tuple[str, int], ...] = (
    ('{"model": "bench", "messages": [', 400),
    ('{"model": "bench"}', 400),
    ('{"model": "bench", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": -1}', 400),
    ('{"model": "bench", "messages": [{"role": "user", "content": "Hi"}], "prompt_embeds": "AAAA"}', 400),
    ('{"model": "bench", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}', 400),
)
"""Requests that must be refused, with the status."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one prompt gets on a quiet server."""

    prompt: str
    text: str
    verdict: str | None
    """None: of an engine that checks nothing."""


@dataclass(slots=True)
class Counts:
    """What happened; each client has its own."""

    answered: Counter[str] = field(default_factory=Counter)
    """By verdict."""

    differing: Counter[str] = field(default_factory=Counter)
    """Answers with another text than on a quiet server, by verdict."""

    left: int = 0
    refused: int = 0
    connection_errors: int = 0
    wrong: list[str] = field(default_factory=list)
    """What must not happen, in words."""

    def add(self, other: Counts) -> None:
        self.answered += other.answered
        self.differing += other.differing
        self.left += other.left
        self.refused += other.refused
        self.connection_errors += other.connection_errors
        self.wrong += other.wrong


def measure_load(
    server: Server,
    forget: Sequence[str],
    others: Sequence[str],
    config: LoadConfig,
    *,
    plain: Server | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Start the server, learn what is right, load it, and stop it.

    Args:
        server: not started yet.
        forget: prompts that its artifacts flag.
        others: prompts that they do not.
        config: how much of what.
        plain: the same engine without artifacts, not started yet: it is then asked the same clean prompts, first one
            at a time and then under the same load.
        on_progress: called with (phase, seconds done, seconds).

    Returns:
        JSON-ready values. `wrong` is empty, and `connection_errors` 0 unless the server was killed, if all is well.
    """
    report = on_progress or (lambda phase, done, total: None)
    report("start", 0, 1)
    seconds = {"start": round(server.start(), 1)}
    try:
        expected = _quiet(server, [*forget, *others], config, checked=True, report=report)
        flagged = [one.verdict == "flagged" for one in expected]
        total, memory, again = _loaded(server, expected, config, report)
        quiet = Counts()
        for one in expected:  # still the same, now that it is quiet again
            _check(quiet, one, _answer(server, one.prompt, config.new_tokens, stream=False))
    finally:
        server.stop()
    total.wrong += quiet.wrong
    tenth = max(1, len(memory) // 10)
    clean = [one for one in expected if one.verdict == "clean"]
    return {
        "config": asdict(config),
        "prompts": {"flagged": sum(flagged), "clean": len(flagged) - sum(flagged)},
        "missed": [one.prompt for one in expected[: len(forget)] if one.verdict != "flagged"],
        "seconds": {**seconds, **({"start_again": round(again, 1)} if again else {})},
        "answered": dict(total.answered),
        "differing": dict(total.differing),
        "left": total.left,
        "refused": total.refused,
        "connection_errors": total.connection_errors,
        "wrong": total.wrong[:20],
        "wrong_count": len(total.wrong),
        "memory_mb": {
            "second_tenth": round(statistics.median(memory[tenth : 2 * tenth] or memory) / 2**20),
            "last_tenth": round(statistics.median(memory[-tenth:]) / 2**20),
            "most": round(max(memory) / 2**20),
        },
        **({} if plain is None else {"plain": _of_the_plain_engine(plain, clean, config, report)}),
    }


def _of_the_plain_engine(
    server: Server, ours: Sequence[Expected], config: LoadConfig, report: Progress
) -> dict[str, int]:
    """How often its answers are ours when asked alone, and its own when asked under load."""
    config = replace(config, bad=0.0, kill=False)  # what it refuses is its own affair
    report("start the plain engine", 0, 1)
    server.start()
    try:
        expected = _quiet(server, [one.prompt for one in ours], config, checked=False, report=report)
        total, _, _ = _loaded(server, expected, config, report)
    finally:
        server.stop()
    return {
        "alone": len(expected),
        "alone_as_ours": sum(own.text == one.text for own, one in zip(expected, ours, strict=True)),
        "answered": total.answered["plain"],
        "differing": total.differing["plain"],
    }


def _quiet(
    server: Server, prompts: Sequence[str], config: LoadConfig, *, checked: bool, report: Progress
) -> list[Expected]:
    """Each prompt's answer, one at a time."""
    expected = []
    for number, prompt in enumerate(prompts):
        report("one at a time", number, len(prompts))
        status, header, verdict, text = _answer(server, prompt, config.new_tokens, stream=False)
        if status != 200 or (checked and (header != "checked" or verdict is None)):
            raise ConfigError(f"The server answered {prompt[:40]!r} with status {status}: {text[:200]}")
        expected.append(Expected(prompt, text, verdict))
    return expected


def _loaded(
    server: Server, expected: Sequence[Expected], config: LoadConfig, report: Progress
) -> tuple[Counts, list[int], float]:
    """What all clients saw, the server's memory from second to second, and the seconds it took to start again."""
    total, memory, again = Counts(), list[int](), 0.0
    stop = threading.Event()
    clients = [_Client(server, expected, config, number, stop) for number in range(config.clients)]
    began = time.monotonic()
    for client in clients:
        client.start()
    while (gone := time.monotonic() - began) < config.seconds:
        report("load", int(gone), int(config.seconds))
        if config.kill and not again and gone > config.seconds / 2:
            server.kill()
            again = server.start()
        memory.append(server.memory())
        time.sleep(min(1.0, config.seconds / 20))
    stop.set()
    for client in clients:
        client.join(120)
        if client.is_alive():
            total.wrong.append("a client still waits for an answer")
        total.add(client.counts)
    return total, memory, again


class _Client(threading.Thread):
    """Asks one thing after another until it is told to stop."""

    def __init__(
        self,
        server: Server,
        expected: Sequence[Expected],
        config: LoadConfig,
        number: int,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.counts = Counts()
        self._server, self._expected, self._config, self._stop_asking = server, expected, config, stop
        self._random = random.Random(f"{config.seed} {number}")

    def run(self) -> None:
        while not self._stop_asking.is_set():
            try:
                self._ask()
            except (OSError, http.client.HTTPException):
                self.counts.connection_errors += 1
                if not self._config.kill:
                    self.counts.wrong.append("the connection broke")
                time.sleep(0.2)

    def _ask(self) -> None:
        kind, config, counts = self._random.random(), self._config, self.counts
        if kind < config.bad:
            body, status = self._random.choice(BAD)
            response = _post(self._server, body)
            found = response.status
            response.read()
            counts.refused += found == status
            if found != status:
                counts.wrong.append(f"status {found} instead of {status} for {body}")
            return
        one = self._random.choice(self._expected)
        if kind < config.bad + config.leave:
            connection = _connection(self._server)
            _send(self._server, connection, _body(one.prompt, config.new_tokens, stream=True))
            if self._random.random() < 0.5:  # in the middle of the answer; the others do not even wait for its start
                connection.getresponse().readline()
            connection.close()
            counts.left += 1
            return
        stream = self._random.random() < config.stream
        _check(counts, one, _answer(self._server, one.prompt, config.new_tokens, stream=stream))


def _check(counts: Counts, expected: Expected, found: tuple[int, str | None, str | None, str]) -> None:
    status, checked, verdict, text = found
    right = (200, None if expected.verdict is None else "checked", expected.verdict)
    if (status, checked, verdict) != right:
        counts.wrong.append(f"{expected.prompt[:40]!r}: status {status}, {checked}, {verdict}, not {expected.verdict}")
        return
    kind = expected.verdict or "plain"
    counts.answered[kind] += 1
    counts.differing[kind] += text != expected.text


def _answer(server: Server, prompt: str, new_tokens: int, *, stream: bool) -> tuple[int, str | None, str | None, str]:
    """Status, whether it was checked, the verdict that administrators see, and the text."""
    response = _post(server, _body(prompt, new_tokens, stream=stream))
    content = response.read().decode()
    headers = response.headers
    text = content
    if response.status == 200 and stream:
        events = [line[6:] for line in content.split("\n") if line.startswith("data: ")]
        if not events or events[-1] != "[DONE]":
            raise http.client.IncompleteRead(content.encode())
        deltas = [choice["delta"] for event in events[:-1] for choice in json.loads(event)["choices"]]
        text = "".join(delta.get("content") or "" for delta in deltas)
    elif response.status == 200:
        text = json.loads(content)["choices"][0]["message"]["content"]
    return response.status, headers.get("x-unlearned"), headers.get("x-unlearned-verdict"), text


def _body(prompt: str, new_tokens: int, *, stream: bool) -> str:
    messages = [{"role": "user", "content": prompt}]
    body = {"model": "bench", "messages": messages, "temperature": 0, "max_tokens": new_tokens, "stream": stream}
    return json.dumps(body)


def _post(server: Server, body: str) -> http.client.HTTPResponse:
    connection = _connection(server)
    _send(server, connection, body)
    return connection.getresponse()


def _send(server: Server, connection: http.client.HTTPConnection, body: str) -> None:
    headers = {"Content-Type": "application/json", "Connection": "close", **server.headers}
    connection.request("POST", "/v1/chat/completions", body.encode(), headers)


def _connection(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
