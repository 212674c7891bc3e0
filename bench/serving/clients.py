"""Clients of a server that is measured, and what a measure is."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

from unlearned.examples import background_prompts


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: the server against the original model, medians over pairs."""

    name: str
    unit: str
    server: float
    plain: float
    ratio: float
    """Server by plain, the median of the pairs' ratios."""

    low: float
    high: float
    """Smallest and largest ratio."""

    pairs: int


class Prompts:
    """Prompts that no turn has seen before, so that no verdict is remembered."""

    def __init__(self) -> None:
        texts = background_prompts()
        self._left = (text if turn == 0 else f"{text} ({turn})" for turn in count() for text in texts)

    def next(self, number: int) -> list[str]:
        return [next(self._left) for _ in range(number)]


def throughput(port: int, texts: Sequence[str], clients: int, new_tokens: int, **more: Any) -> float:
    """Tokens per second of all clients together; see `answered`."""
    tokens, seconds = answered(port, texts, clients, new_tokens, **more)
    return tokens / seconds


def answered(port: int, texts: Sequence[str], clients: int, new_tokens: int, **more: Any) -> tuple[int, float]:
    """Tokens of all answers, and seconds until they were there; a client asks on when it has its answer."""

    def client(own: Sequence[str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        tokens = 0
        for text in own:
            ask(connection, text, max_tokens=new_tokens, **more)
            tokens += int(json.load(connection.getresponse())["usage"]["completion_tokens"])
        connection.close()
        return tokens

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        tokens = sum(pool.map(client, [texts[index::clients] for index in range(clients)]))
    return tokens, time.perf_counter() - start


def ask(connection: http.client.HTTPConnection, text: str, **more: Any) -> None:
    """Send one greedy chat; the answer is the connection's next response."""
    body = {"model": "bench", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})


def paired(name: str, unit: str, pairs: Sequence[tuple[float, float]]) -> Row:
    """Medians over pairs of (server, plain)."""
    ratios = [ours / theirs for ours, theirs in pairs]
    server, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(name, unit, server, plain, statistics.median(ratios), min(ratios), max(ratios), len(pairs))
