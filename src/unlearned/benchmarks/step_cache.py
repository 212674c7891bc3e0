"""Finished parts of a benchmark run are kept, each with what it depends on, and not repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unlearned.files import write_text
from unlearned.progress import Tell

OLD_KEY = "code"
"""Setting of parts that were kept by releases that compared source files, and not versions."""


def once(
    file: Path, settings: Mapping[str, Any], make: Callable[[], Mapping[str, Any]], tell: Tell, again: str
) -> dict[str, Any]:
    """A part's content: what was kept, or what is made and then kept.

    Args:
        file: where it is kept.
        settings: everything that it depends on, as JSON has it.
        make: gives it, as JSON has it; not called for what is there.
        tell: is told why something that was kept is not used.
        again: begins that line: which part is made anew.
    """
    kept = finished(file, settings)
    if kept is None:
        if why := outdated(file, settings):
            tell(f"{again}: {why}")
        kept = dict(make())
        keep(file, settings, kept)
    return kept


def keep(file: Path, settings: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Write a finished part beside what it depends on; both as JSON has them, so lists and not tuples."""
    write_text(file, as_text({"settings": settings, **content}))


def finished(file: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was kept, if it depends on the same."""
    kept = _read(file)
    if kept is None or kept.pop("settings", None) != settings:
        return None
    return kept


def outdated(file: Path, settings: Mapping[str, Any]) -> str | None:
    """Why what was kept cannot be used, in one line; None: nothing was kept, or it depends on the same."""
    kept = _read(file)
    before = None if kept is None else kept.get("settings")
    if not isinstance(before, dict) or before == settings:
        return None
    if OLD_KEY in before:
        return "it was kept by an earlier release, which did not record versions"
    changed = _changed(before, settings)
    return f"other {', '.join(changed[:3])}{f' and {len(changed) - 3} more' if len(changed) > 3 else ''}"


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of the settings that differ, with their values where these are short."""
    found = []
    for name in sorted({*before, *now}):
        one, other = before.get(name), now.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _changed(one, other, f"{prefix}{name}.")
        elif one != other:
            short = all(value is None or isinstance(value, bool | int | float) for value in (one, other))
            found.append(f"{prefix}{name}{f' ({one}, now {other})' if short else ''}")
    return found


def _read(file: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def as_text(data: Mapping[str, Any]) -> str:
    """JSON for people to read, too."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
