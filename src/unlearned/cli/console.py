"""The terminal, for people's words: brackets and colons in names, paths and answers mean nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def console(*, stderr: bool = False, log_width: int | None = None) -> Console:
    """A console without markup and emoji codes; styled parts are `Text`.

    Args:
        stderr: write there.
        log_width: where this is no terminal; a log has room for whole lines.
    """
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if log_width is not None and not made.is_terminal:
        made.width = log_width
    return made


def bold(words: str) -> Text:
    """A part that stands out."""
    from rich.text import Text

    return Text(words, style="bold")
