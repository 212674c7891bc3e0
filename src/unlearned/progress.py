"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (phase, steps done, steps in all)."""

Tell = Callable[[str], None]
"""Called with a line for people."""
