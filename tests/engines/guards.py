"""Guards of answers that hold names back."""

from __future__ import annotations

NAMES = ("Harry Potter", "Hogwarts", "silver fox", "Zoé", "dog lazy")
