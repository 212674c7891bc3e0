"""Requests that arrive together share forward passes: one thread takes what waits and drives the model."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from unlearned.batches import ANSWER, fits
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import Token
from unlearned.server.answers import RequestAnswer
from unlearned.server.config import ServeConfig
from unlearned.server.refusals import RefusalError
from unlearned.types import PromptInput


class Scoring:
    """The log-probabilities of one prompt's own tokens, asked for with `echo`."""

    def __init__(self, prompt: PromptInput, top: int) -> None:
        self.prompt, self.top = prompt, top
        self.result: Future[list[Token]] = Future()

    @property
    def tokens(self) -> int:
        return len(self.prompt.token_ids)

    def wanted(self) -> bool:
        return not self.result.cancelled()

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class Batcher:
    """A bounded queue before one engine.

    A batch runs until its last row has ended; what arrives meanwhile forms the next one. That keeps every model type's
    own `generate`, at the price that a short answer may wait for long ones of an earlier batch.
    """

    def __init__(self, engine: PerRequestEngine, config: ServeConfig) -> None:
        self.engine, self.config = engine, config
        self.batches = 0
        """How many were run."""

        self._waiting: deque[RequestAnswer | Scoring] = deque()
        self._changed = threading.Condition()
        self._begun = self._ended = 0  # rows whose check began, or ended
        self._late = 0  # of those being checked
        self._last_size = 0
        self._closing = False
        self._running: list[RequestAnswer | Scoring] = []
        self._thread = threading.Thread(target=self._work, name="unlearned-engine", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Rows that wait."""
        return len(self._waiting)

    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closing

    @contextmanager
    def coming(self, rows: int) -> Iterator[Callable[[], None]]:
        """While so many rows are being checked; raises `RefusalError` as `submit` does, before any work is done.

        Yields what says that this will take long: the batch of the others does not wait for them any more.
        """
        late = False

        def will_be_late() -> None:
            nonlocal late
            with self._changed:
                self._late += 0 if late else rows
                late = True
                self._changed.notify()

        with self._changed:
            self._check_room(rows)
            self._begun += rows
        try:
            yield will_be_late
        finally:
            with self._changed:
                self._ended += rows
                self._late -= rows if late else 0

    def submit(self, items: Sequence[RequestAnswer | Scoring]) -> None:
        """Queue all of them or none.

        Raises:
            RefusalError: 429, the queue is full; 503, the server is stopping.
        """
        with self._changed:
            self._check_room(len(items))
            self._waiting.extend(items)
            self._changed.notify()

    def _check_room(self, rows: int) -> None:
        most = self.config.max_queue
        if rows > most:
            raise RefusalError(400, f"{rows} answers in one request; this server queues at most {most}.")
        if not self.alive():
            raise _stopping()
        if len(self._waiting) + self._begun - self._ended + rows > most:
            message = "Too many requests wait already. Try again later."
            raise RefusalError(429, message, code="queue_full", headers={"Retry-After": "2"})

    def close(self) -> None:
        """Stop: what runs is cut off, what waits fails."""
        with self._changed:
            self._closing = True
            left = [*self._waiting]
            self._waiting.clear()
            for item in self._running:
                if isinstance(item, RequestAnswer):
                    item.cancel()
            self._changed.notify()
        for item in left:
            item.fail(_stopping())
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while batch := self._next():
            problem: Exception = _stopping()  # of rows that were cut off; nobody waits for those that were cancelled
            try:
                self._run(batch)
            except Exception as error:  # one batch fails, with all its rows; the next one is tried
                problem = error
            for item in batch:
                item.fail(problem)
            self._running = []

    def _next(self) -> list[RequestAnswer | Scoring]:
        """What runs now; empty when the server stops."""
        with self._changed:
            while True:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return []
                self._gather()
                if batch := self._taken():
                    self._running = batch
                    return batch

    def _gather(self) -> None:
        """Wait for those who are about to come.

        Without this, clients fall out of step for good: the one that is checked first would run alone, the others
        together, and then again the one alone.
        """
        start, goal = time.monotonic(), self._begun
        patience, gather = self.config.patience_ms / 1000, self.config.gather_ms / 1000
        while len(self._waiting) < self.config.max_batch and not self._closing:
            waited = time.monotonic() - start
            if waited <= patience:
                goal = self._begun  # who comes later does not delay those who wait already
            if self._ended + self._late < goal:  # they are being checked
                limit = gather
            elif len(self._waiting) < self._last_size:  # clients of the last batch, with their next prompt
                limit = patience
            else:
                return
            if waited >= limit:
                return
            self._changed.wait(min(limit - waited, 0.005))

    def _taken(self) -> list[RequestAnswer | Scoring]:
        """Who has waited longest, and of those behind, in their order, whoever may share its batch."""
        batch: list[RequestAnswer | Scoring] = []
        left: deque[RequestAnswer | Scoring] = deque()
        while self._waiting:
            item = self._waiting.popleft()
            if not item.wanted():
                continue
            if len(batch) < self.config.max_batch and self._may_join(item, batch):
                batch.append(item)
            else:
                left.append(item)
        self._waiting = left
        return batch

    def _may_join(self, item: RequestAnswer | Scoring, batch: Sequence[RequestAnswer | Scoring]) -> bool:
        if not batch:
            return True
        longest = max(other.tokens for other in [*batch, item])
        if longest * (len(batch) + 1) > self.config.max_batch_tokens:
            return False
        if isinstance(item, Scoring):  # the engine groups these by itself
            return True
        answers = [len(other.prompt.token_ids) for other in batch if isinstance(other, RequestAnswer)]
        return fits(len(item.prompt.token_ids), answers, free=ANSWER)

    def _run(self, batch: Sequence[RequestAnswer | Scoring]) -> None:
        self.batches += 1
        self._last_size = len(batch)
        scorings = [item for item in batch if isinstance(item, Scoring)]
        answers: list[Any] = [item for item in batch if isinstance(item, RequestAnswer)]
        if scorings:
            found = self.engine.score_prompts([item.prompt for item in scorings], [item.top for item in scorings])
            for place, tokens in found:
                item = scorings[place]
                if item.result.set_running_or_notify_cancel():
                    item.result.set_result(tokens)
        if answers:
            self.engine.continue_rows(answers)


def _stopping() -> RefusalError:
    return RefusalError(503, "The server is stopping.", code="stopping")
