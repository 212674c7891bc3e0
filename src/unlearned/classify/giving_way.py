"""A long check stands still for a moment where its thread wants it to; between two batches of an encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_thread = threading.local()


@contextmanager
def giving_way(pause: Callable[[], None] | None) -> Iterator[None]:
    """While the block runs, `pause` is called in this thread before every batch of texts."""
    _thread.pause = pause
    try:
        yield
    finally:
        _thread.pause = None


def give_way() -> None:
    """What an encoder calls before a batch."""
    pause: Callable[[], None] | None = getattr(_thread, "pause", None)
    if pause is not None:
        pause()
