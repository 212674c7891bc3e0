"""In which order prompts are checked: short requests beside long ones, shortest first, and nobody is left behind."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from unlearned.classify.giving_way import giving_way
from unlearned.server.store import Enforced
from unlearned.types import Prompt, Verdict

AT_ONCE = 32
"""Prompts in one call of the detector."""

CHARACTERS = 4000
"""Characters in one call, or one prompt: verdicts are handed out at its end."""

SHORT = 1000
"""Characters of a request that is checked beside the long ones."""

PER_SECOND = 250.0
"""A prompt goes before those that are so many characters longer for each second that they came earlier. Slower than any
detector, so that short ones go first; yet everything that waits is ahead of whatever comes late enough."""

PAUSE = 1.0
"""Seconds a long check stands still at a time while short ones are under way."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A prompt without a verdict yet."""

    prompt: Prompt
    enforced: Enforced[Any]
    size: int
    """Characters."""

    due: float
    """The smallest goes first."""

    verdict: Future[Verdict] = field(default_factory=Future)
    lane: list[Lane] = field(default_factory=list)
    """The lane in which it waits; set once."""


class Lane:
    """A thread and what waits for it.

    Args:
        name: of the thread.
        work: checks prompts under one set of artifacts, and sets their verdicts or errors.
        give_way: called inside of long checks, every few texts.
    """

    def __init__(
        self, name: str, work: Callable[[Sequence[Waiting]], None], give_way: Callable[[], None] | None = None
    ) -> None:
        self._work, self._give_way = work, give_way
        self._heap: list[tuple[float, int, Waiting]] = []
        self._turn = itertools.count()
        self._changed = threading.Condition()
        self._closing = False
        self._begun: float | None = None
        self.characters = 0
        """That wait."""

        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def busy(self) -> bool:
        """Whether anything waits or is being checked."""
        return bool(self._heap) or self._begun is not None

    def running_for(self) -> float:
        """Seconds that the call under way has taken; 0 if there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    def wait_until_idle(self, seconds: float) -> None:
        """Return when nothing waits or is being checked, at the latest after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self.busy(), seconds)

    def put(self, items: Sequence[Waiting]) -> None:
        with self._changed:
            for item in items:
                item.lane.append(self)
                heapq.heappush(self._heap, (item.due, next(self._turn), item))
                self.characters += item.size
            self._changed.notify_all()

    def close(self) -> None:
        """Stop after what is being checked now; what waits is cancelled."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _run(self) -> None:
        while batch := self._next():
            with giving_way(self._give_way):
                for enforced in dict.fromkeys(item.enforced for item in batch):
                    self._work([item for item in batch if item.enforced is enforced])
            with self._changed:
                self._begun = None
                self._changed.notify_all()
        for _, _, item in self._heap:
            item.verdict.cancel()

    def _next(self) -> list[Waiting]:
        """The next call; empty at the end."""
        batch: list[Waiting] = []
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._heap or self._closing)
                if self._closing:
                    return []
                total = 0
                while self._heap and len(batch) < AT_ONCE:
                    item = self._heap[0][2]
                    if batch and total + item.size > CHARACTERS:
                        break
                    heapq.heappop(self._heap)
                    self.characters -= item.size
                    if item.verdict.set_running_or_notify_cancel():
                        batch.append(item)
                        total += item.size
                self._begun = time.monotonic() if batch else None
                self._changed.notify_all()
        return batch
