"""How many requests a minute one client may send."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from unlearned.server.refusals import RefusalError

REMEMBERED = 10_000
"""Clients; those that were quiet for longest are forgotten first."""


class RateLimit:
    """A sliding minute per client. None = no limit."""

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, client: str) -> None:
        """Count a request; raises `RefusalError` (429) if it is one too many."""
        if self.per_minute is None:
            return
        now = time.monotonic()
        times = self._times.setdefault(client, deque())
        self._times.move_to_end(client)
        while len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= self.per_minute:
            wait = max(1, round(times[0] + 60 - now))
            raise RefusalError(
                429,
                f"More than {self.per_minute} requests in a minute. Wait {wait} s.",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(wait)},
            )
        times.append(now)
