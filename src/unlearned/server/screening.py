"""Verdicts for requests: off the event loop, in batches, in time, each text once."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from queue import SimpleQueue

from unlearned.errors import DetectionError
from unlearned.server.metrics import Metrics
from unlearned.server.refusals import RefusalError, unchecked
from unlearned.server.store import Enforced
from unlearned.stages import Prompt, Verdict

AT_ONCE = 32
"""Prompts in one call of the detector."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    prompt: Prompt
    enforced: Enforced
    verdict: Future[Verdict] = field(default_factory=Future)


class Screener:
    """One thread that checks what waits, and a memory of verdicts.

    Args:
        timeout: seconds after which a prompt counts as not checkable.
        cache: verdicts that are kept.
        metrics: counts and times.
    """

    def __init__(self, *, timeout: float, cache: int, metrics: Metrics) -> None:
        self.timeout, self.size, self.metrics = timeout, cache, metrics
        self._known: OrderedDict[bytes, Verdict] = OrderedDict()
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="unlearned-detection", daemon=True)
        self._thread.start()
        self.stuck = False
        """The last prompt was not checked in time."""

    def alive(self) -> bool:
        return self._thread.is_alive() and not self.stuck

    async def check(self, prompts: Sequence[Prompt], enforced: Enforced) -> list[Verdict]:
        """One verdict per prompt.

        Raises:
            RefusalError: 503; the detector failed, took too long or ran out of memory.
        """
        keys, found, new = self._queued(prompts, enforced)
        waiting = asyncio.gather(*(asyncio.wrap_future(item.verdict) for item in new.values()))
        try:
            verdicts = await asyncio.wait_for(waiting, self.timeout)
        except (asyncio.TimeoutError, DetectionError) as error:
            raise self._failed(error) from error
        return self._remembered(keys, found, dict(zip(new, verdicts, strict=True)))

    def check_now(self, prompts: Sequence[Prompt], enforced: Enforced) -> list[Verdict]:
        """The same for callers without an event loop."""
        keys, found, new = self._queued(prompts, enforced)
        end = time.monotonic() + self.timeout
        try:
            verdicts = [item.verdict.result(max(0.0, end - time.monotonic())) for item in new.values()]
        except (FutureTimeoutError, DetectionError) as error:
            for item in new.values():
                item.verdict.cancel()
            raise self._failed(error) from error
        return self._remembered(keys, found, dict(zip(new, verdicts, strict=True)))

    def _queued(
        self, prompts: Sequence[Prompt], enforced: Enforced
    ) -> tuple[list[bytes], dict[bytes, Verdict], dict[bytes, _Waiting]]:
        """Keys of all prompts, verdicts that are known, and what waits for one now."""
        if not self._thread.is_alive():
            raise unchecked("Detection has stopped.", "detection_failed")
        keys = [_key(prompt, enforced) for prompt in prompts]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        new = {key: _Waiting(prompt, enforced) for key, prompt in zip(keys, prompts, strict=True) if key not in found}
        for item in new.values():
            self._queue.put(item)
        return keys, found, new

    def _failed(self, error: BaseException) -> RefusalError:
        if isinstance(error, DetectionError):
            return unchecked("Detection failed.", "detection_failed")
        self.stuck = True
        return unchecked(f"Detection took longer than {self.timeout:g} s.", "detection_timeout")

    def _remembered(
        self, keys: Sequence[bytes], found: dict[bytes, Verdict], new: dict[bytes, Verdict]
    ) -> list[Verdict]:
        self.stuck = self.stuck and not new
        found |= new
        with self._lock:
            self._known |= found
            while len(self._known) > self.size:
                self._known.popitem(last=False)
        return [found[key] for key in keys]

    def close(self) -> None:
        """Stop after what is being checked now."""
        self._queue.put(None)

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < AT_ONCE and not self._queue.empty():
                if (item := self._queue.get()) is None:
                    return
                batch.append(item)
            batch = [item for item in batch if item.verdict.set_running_or_notify_cancel()]
            for enforced in dict.fromkeys(item.enforced for item in batch):
                self._together([item for item in batch if item.enforced is enforced], enforced)

    def _together(self, batch: Sequence[_Waiting], enforced: Enforced) -> None:
        try:
            with self.metrics.detection.time():
                verdicts = enforced.unlearner.classify([item.prompt for item in batch])
        except BaseException as error:  # MemoryError, or whatever a plug-in may raise
            if len(batch) > 1:  # one by one: nobody is refused for a neighbour's prompt
                for item in batch:
                    self._together([item], enforced)
            else:
                batch[0].verdict.set_exception(_detection_error(error))
        else:
            for item, verdict in zip(batch, verdicts, strict=True):
                item.verdict.set_result(verdict)


def _detection_error(error: BaseException) -> DetectionError:
    if isinstance(error, DetectionError):
        return error
    return DetectionError(f"Detection failed: {type(error).__name__}. Nothing was generated.")


def _key(prompt: Prompt, enforced: Enforced) -> bytes:
    digest = hashlib.sha256(enforced.digest.encode())
    for segment in prompt.segments:
        digest.update(f"\0{segment.role}:{segment.start}:{segment.end}".encode())
    digest.update(b"\0\0" + prompt.text.encode("utf-8", "surrogatepass"))
    return digest.digest()
