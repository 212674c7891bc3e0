"""Many clients at once, some of them rude. `UNLEARNED_LOAD_SECONDS=600` for ten minutes."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from pathlib import Path

import httpx
from vllm_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Server, chat, complete, text_of

SECONDS = float(os.environ.get("UNLEARNED_LOAD_SECONDS", "30"))
CLIENTS = 24

QUESTIONS = {
    "clean": [chat(PLAIN, max_tokens=6), complete("The capital of Italy is", max_tokens=6)],
    "flagged": [chat(FLAGGED, max_tokens=6), complete("Harry Potter is", max_tokens=6)],
}
BAD = [
    ("/v1/completions", {"model": "embedded", "prompt": ""}),
    ("/v1/completions", {"model": "other", "prompt": "x"}),
    ("/v1/chat/completions", {"model": "embedded", "messages": "x"}),
    complete(None, prompt_embeds="AAAA"),
    complete("hello " * 2000),
]


def memory(server: Server) -> int:
    """Bytes of all its processes."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                group = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[2])
                if group == server.process.pid:
                    total += int((folder / "statm").read_text().split()[1]) * 4096
            except (OSError, IndexError):
                continue
    return total


async def load(server: Server, seconds: float, seed: int) -> list[str]:
    """What went wrong."""
    wrong = list[str]()
    end = asyncio.get_running_loop().time() + seconds

    async def client(number: int) -> None:
        chance = random.Random(seed * 1000 + number)
        headers = {"Authorization": f"Bearer {ADMIN if chance.random() < 0.7 else CLIENT}"}
        limits = httpx.Limits(max_keepalive_connections=1)
        async with httpx.AsyncClient(
            base_url=str(server.http.base_url), timeout=120, headers=headers, limits=limits
        ) as own:
            while asyncio.get_running_loop().time() < end:
                if chance.random() < 0.2:
                    path, body = chance.choice(BAD)
                    if (status := (await own.post(path, json=body)).status_code) not in (400, 404):
                        wrong.append(f"{path} {status}")
                    continue
                kind = chance.choice(list(QUESTIONS))
                path, body = chance.choice(QUESTIONS[kind])
                body = {**body, "stream": chance.random() < 0.5}
                if chance.random() < 0.2:  # leaves early
                    with suppress(asyncio.TimeoutError, httpx.TransportError):
                        await asyncio.wait_for(own.post(path, json=body), chance.random() * 0.5)
                    continue
                answer = await own.post(path, json=body)
                if answer.status_code != 200 or answer.headers["x-unlearned"] != "checked":
                    wrong.append(f"{answer.status_code} {answer.text}")
                elif answer.headers.get("x-unlearned-verdict", kind) != kind:
                    wrong.append(f"{kind}: {answer.headers['x-unlearned-verdict']}")
                elif not text_of(answer):
                    wrong.append(f"{kind}: empty")

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return wrong


def test_many_clients_get_right_answers_and_memory_stays(server: Server) -> None:
    assert asyncio.run(load(server, 10, seed=1)) == []
    before = memory(server)
    assert asyncio.run(load(server, SECONDS, seed=2)) == []
    assert memory(server) < before * 1.05 + 50 * 2**20
    assert server.http.get("/ready").status_code == 200
    assert "Paris" in text_of(server.ask(chat(PLAIN), CLIENT))
