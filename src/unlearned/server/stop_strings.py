"""Stop strings: an answer ends before the first one, and not even its beginning is given out."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Watches one answer's text as it comes."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = tuple(stops)
        self.held = ""
        """What may turn out to be the beginning of a stop string."""

    def feed(self, text: str) -> tuple[str, bool]:
        """New text -> (what can be given out, whether a stop string was found)."""
        text = self.held + text
        found = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if found:
            self.held = ""
            return text[: min(found)], True
        keep = max((overlap(text, stop) for stop in self.stops), default=0)
        cut = len(text) - keep
        self.held = text[cut:]
        return text[:cut], False

    def finish(self) -> str:
        """The rest, when no stop string can come any more."""
        rest, self.held = self.held, ""
        return rest


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are a beginning of `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
