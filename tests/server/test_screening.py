"""Who waits for whom when prompts are checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from unlearned.classify.giving_way import give_way
from unlearned.server.metrics import Metrics
from unlearned.server.refusals import RefusalError
from unlearned.server.screening import Screener
from unlearned.types import Prompt, Verdict, text_only

PACE = 20_000  # characters per second


class Slow:
    """A detector that takes its time: it reads 200 characters, gives way, and reads on."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.calls: list[int] = []

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        self.calls.append(sum(len(prompt.text) for prompt in prompts))
        for prompt in prompts:
            for start in range(0, len(prompt.text), 200):
                give_way()
                time.sleep(min(len(prompt.text) - start, 200) / PACE)
            self.seen.append(prompt.text)
        return [Verdict() for _ in prompts]


@pytest.fixture
def slow() -> Any:
    class Enforced:
        digest, unlearner = "d", Slow()

    return Enforced()


@pytest.fixture
def screener() -> Iterator[Screener]:
    made = Screener(timeout=5, cache=0, metrics=Metrics())
    yield made
    made.close()


def _log(n: int, length: int = 12_000) -> list[Prompt]:
    return [text_only(f"{n:05d}" * (length // 5))]


def _seconds(screener: Screener, slow: Any, text: str) -> float:
    start = time.perf_counter()
    assert screener.check_now([text_only(text)], slow) == [Verdict()]
    return time.perf_counter() - start


def test_a_short_chat_does_not_wait_for_ten_pasted_logs_and_none_of_them_is_refused(
    screener: Screener, slow: Any
) -> None:
    alone = min(_seconds(screener, slow, f"How do I bake bread? {n}" * 20) for n in range(3))
    screener.timeout = 2.0  # a log takes 0.6 s; all ten of them 6 s
    with ThreadPoolExecutor(10) as pool:
        logs = [pool.submit(screener.check_now, _log(n), slow) for n in range(10)]
        time.sleep(0.1)
        beside = [_seconds(screener, slow, f"How do I bake bread? {10 + n}" * 20) for n in range(5)]
        assert not all(log.done() for log in logs)
        assert screener.alive()
        assert sorted(beside)[2] <= 3 * alone
        assert [log.result(timeout=60) for log in logs] == [[Verdict()]] * 10


def test_the_texts_of_a_list_are_checked_in_bounded_calls_and_others_go_before_the_rest(
    screener: Screener, slow: Any
) -> None:
    listed = [text_only(f"text {n} of a long list of texts") for n in range(1500)]
    alone = min(_seconds(screener, slow, f"hello {n + 5}" * 120) for n in range(3))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(screener.check_now, listed, slow)
        time.sleep(0.05)
        assert min(_seconds(screener, slow, f"hello {n}" * 120) for n in range(3)) <= 3 * alone
        assert not waiting.done()
        assert len(waiting.result(timeout=60)) == 1500
    assert max(slow.unlearner.calls) <= 4000


def test_shorter_texts_go_first(screener: Screener, slow: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(screener.check_now, _log(0, 5000), slow)
        time.sleep(0.05)
        late = [pool.submit(screener.check_now, _log(n, size), slow) for n, size in ((1, 4500), (2, 1500), (3, 3000))]
        for done in (first, *late):
            done.result(timeout=60)
    assert [text[:5] for text in slow.unlearner.seen] == ["00000", "00002", "00003", "00001"]


def test_more_than_may_wait_is_refused_at_once_and_a_request_alone_never(slow: Any) -> None:
    screener = Screener(timeout=5, cache=0, metrics=Metrics(), room=10_000)
    try:
        with ThreadPoolExecutor(2) as pool:
            running = pool.submit(screener.check_now, _log(0), slow)  # larger than what may wait
            time.sleep(0.05)
            waiting = pool.submit(screener.check_now, _log(1, 9000), slow)
            time.sleep(0.05)
            start = time.perf_counter()
            with pytest.raises(RefusalError, match="Too much text") as refused:
                screener.check_now(_log(2, 2000), slow)
            assert time.perf_counter() - start < 0.1
            assert (refused.value.status, refused.value.code) == (429, "queue_full")
            assert refused.value.headers
            assert _seconds(screener, slow, "hi") < 0.5  # short ones have their own room
            assert running.result(timeout=60) == waiting.result(timeout=60) == [Verdict()]
    finally:
        screener.close()


def test_who_stops_waiting_is_not_checked(screener: Screener, slow: Any) -> None:
    import asyncio

    async def leave() -> None:
        tasks = [asyncio.create_task(screener.check(_log(n), slow)) for n in range(4)]
        await asyncio.sleep(0.1)
        for task in tasks[1:]:
            task.cancel()
        assert await tasks[0] == [Verdict()]

    asyncio.run(leave())
    assert screener.check_now(_log(9, 1500), slow) == [Verdict()]
    assert [text[:5] for text in slow.unlearner.seen] == ["00000", "00009"]
