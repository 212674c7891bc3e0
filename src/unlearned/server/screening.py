"""Verdicts for requests: off the event loop, in bounded calls, in time, each text once."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import wait as wait_for
from typing import Any

from unlearned.errors import DetectionError
from unlearned.server.lanes import AT_ONCE, PAUSE, PER_SECOND, SHORT, Lane, Waiting
from unlearned.server.metrics import Metrics
from unlearned.server.refusals import RefusalError, unchecked
from unlearned.server.store import Enforced
from unlearned.types import Prompt, Verdict

__all__ = ["AT_ONCE", "Screener"]

HUNG = 2.0
"""A call that takes so many times its time is not coming back: who waits behind it is refused, too."""


class Screener:
    """Checks what waits, short requests beside long ones, and remembers verdicts.

    Args:
        timeout: seconds after which a prompt counts as not checkable, from the moment when its check begins.
        cache: verdicts that are kept.
        metrics: counts and times.
        room: characters that may wait in either lane; what would be more is refused at once. A request always fits
            where none waits.
    """

    def __init__(self, *, timeout: float, cache: int, metrics: Metrics, room: int = 1_000_000) -> None:
        self.timeout, self.size, self.metrics, self.room = timeout, cache, metrics, room
        self._known: OrderedDict[bytes, Verdict] = OrderedDict()
        self._lock = threading.Lock()
        self._short = Lane("unlearned-detection", self._together)
        self._long = Lane("unlearned-detection-long", self._together, lambda: self._short.wait_until_idle(PAUSE))

    def alive(self) -> bool:
        """Whether prompts can be checked: no call hangs."""
        lanes = (self._short, self._long)
        return all(lane.alive() and lane.running_for() <= self.timeout for lane in lanes)

    async def check(self, prompts: Sequence[Prompt], enforced: Enforced[Any]) -> list[Verdict]:
        """One verdict per prompt.

        Raises:
            RefusalError: 429, too much waits already; 503, the detector failed, took too long or ran out of memory.
        """
        keys, found, new = self._queued(prompts, enforced)
        pending = {asyncio.wrap_future(item.verdict) for item in new.values()}
        for future in pending:  # of several errors one is told
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=self._next_look(), return_when=asyncio.FIRST_EXCEPTION
                )
                self._raise_failed([future for future in done if not future.cancelled()], new)
        finally:
            self._drop(new)
        return self._remembered(keys, found, {key: item.verdict.result() for key, item in new.items()})

    def check_now(self, prompts: Sequence[Prompt], enforced: Enforced[Any]) -> list[Verdict]:
        """Check prompts for callers without an event loop."""
        keys, found, new = self._queued(prompts, enforced)
        pending = {item.verdict for item in new.values()}
        try:
            while pending:
                done, pending = wait_for(pending, timeout=self._next_look(), return_when="FIRST_EXCEPTION")
                self._raise_failed([future for future in done if not future.cancelled()], new)
        finally:
            self._drop(new)
        return self._remembered(keys, found, {key: item.verdict.result() for key, item in new.items()})

    def _next_look(self) -> float:
        """Seconds until it is looked at again whether a call hangs."""
        return min(self.timeout / 4, 1.0)

    def _raise_failed(self, done: Sequence[Any], new: dict[bytes, Waiting]) -> None:
        for future in done:
            if isinstance(error := future.exception(), DetectionError):
                raise unchecked("Detection failed.", "detection_failed") from error
        for item in new.values():
            if item.verdict.cancelled():
                raise unchecked("Detection has stopped.", "detection_failed")
            if item.verdict.done():
                continue
            took = item.lane[0].running_for()
            if took > self.timeout * (1.0 if item.verdict.running() else HUNG):
                raise unchecked(f"Detection took longer than {self.timeout:g} s.", "detection_timeout")

    def _drop(self, new: dict[bytes, Waiting]) -> None:
        for item in new.values():
            item.verdict.cancel()

    def _queued(
        self, prompts: Sequence[Prompt], enforced: Enforced[Any]
    ) -> tuple[list[bytes], dict[bytes, Verdict], dict[bytes, Waiting]]:
        """Keys of all prompts, verdicts that are known, and what waits for one now."""
        if not (self._short.alive() and self._long.alive()):
            raise unchecked("Detection has stopped.", "detection_failed")
        keys = [_key(prompt, enforced) for prompt in prompts]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        now, total = time.monotonic(), 0
        new: dict[bytes, Waiting] = {}
        for key, prompt in zip(keys, prompts, strict=True):
            if key not in found and key not in new:
                size = sum(segment.end - segment.start for segment in prompt.segments)
                total += size  # of a list, later texts come later: it does not push everybody else back
                new[key] = Waiting(prompt, enforced, size, now + total / PER_SECOND)
        lane = self._short if total <= SHORT else self._long
        if lane.characters and lane.characters + total > self.room:
            message = "Too much text waits to be checked. Try again later."
            raise RefusalError(429, message, code="queue_full", headers={"Retry-After": "5"})
        lane.put(list(new.values()))
        return keys, found, new

    def _remembered(
        self, keys: Sequence[bytes], found: dict[bytes, Verdict], new: dict[bytes, Verdict]
    ) -> list[Verdict]:
        found |= new
        with self._lock:
            self._known |= found
            while len(self._known) > self.size:
                self._known.popitem(last=False)
        return [found[key] for key in keys]

    def close(self) -> None:
        """Stop after what is being checked now."""
        self._short.close()
        self._long.close()

    def _together(self, batch: Sequence[Waiting]) -> None:
        enforced = batch[0].enforced
        try:
            with self.metrics.detection.time():
                verdicts = enforced.unlearner.classify([item.prompt for item in batch])
        except BaseException as error:  # MemoryError, or whatever a plug-in may raise
            if len(batch) > 1:  # one by one: nobody is refused for a neighbour's prompt
                for item in batch:
                    self._together([item])
            else:
                batch[0].verdict.set_exception(_detection_error(error))
        else:
            for item, verdict in zip(batch, verdicts, strict=True):
                item.verdict.set_result(verdict)


def _detection_error(error: BaseException) -> DetectionError:
    if isinstance(error, DetectionError):
        return error
    return DetectionError(f"Detection failed: {type(error).__name__}. Nothing was generated.")


def _key(prompt: Prompt, enforced: Enforced[Any]) -> bytes:
    digest = hashlib.sha256(f"{enforced.digest}\0{prompt.owner}\0".encode("utf-8", "surrogatepass"))
    for segment in prompt.segments:
        digest.update(f"\0{segment.role}:{segment.start}:{segment.end}".encode())
    digest.update(b"\0\0" + prompt.text.encode("utf-8", "surrogatepass"))
    return digest.digest()
