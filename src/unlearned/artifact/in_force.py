"""Whether a running process enforces an artifact: it holds a shared lock on the artifact's record as long as it does.

The lock ends with the process, however that ends. Where the system has no such locks, nothing is known to be in force.
"""

from __future__ import annotations

import os
from pathlib import Path

from unlearned.envelope import record_file

try:
    import fcntl
except ImportError:  # not on this system
    fcntl = None  # type: ignore[assignment]


class Hold:
    """Held while the artifact is in force; ends with the object."""

    def __init__(self, folder: Path) -> None:
        self._handle: int | None = None
        if fcntl is None:
            return
        try:
            self._handle = os.open(record_file(folder), os.O_RDONLY)
            fcntl.flock(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # a file system without locks
            self.end()

    def end(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.end()


def is_in_force(folder: Path) -> bool:
    """Whether a process of this machine enforces the artifact."""
    if fcntl is None:
        return False
    try:
        handle = os.open(record_file(folder), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
