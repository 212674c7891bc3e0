"""What an administrator changed at run time, as a file that a restart finds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from unlearned.errors import ArtifactError
from unlearned.files import write_text

VERSION = 2


@dataclass(frozen=True, slots=True)
class Who:
    """Who asked for a change."""

    key: str | None = None
    """Label of the key."""

    request: str | None = None
    """Id of the request."""


@dataclass(frozen=True, slots=True)
class Change:
    """One artifact that an administrator added or removed."""

    value: str
    """The folder of an added artifact, or the hash of a removed one."""

    by: str = ""
    """Label of the key; empty in files of older versions."""

    at: str = ""
    """UTC, ISO 8601."""

    @classmethod
    def now(cls, value: str, who: Who) -> Change:
        return cls(value, who.key or "", datetime.now(timezone.utc).isoformat(timespec="seconds"))

    def told(self) -> str:
        """Who and when, in words."""
        when = f" on {self.at}" if self.at else ""
        return f"at run time{when}" + (f" with the key {self.by!r}" if self.by else "")


@dataclass(frozen=True, slots=True)
class State:
    """All changes that hold."""

    added: Mapping[str, Change] = field(default_factory=dict)
    """Name -> folder."""

    removed: Mapping[str, Change] = field(default_factory=dict)
    """Name -> hash."""

    def with_added(self, name: str, path: Path, who: Who) -> State:
        added = {**self.added, name: Change.now(str(path.resolve()), who)}
        return State(added, {other: change for other, change in self.removed.items() if other != name})

    def without(self, name: str, sha256: str | None, who: Who) -> State:
        """`sha256`: of what else would be enforced under this name; None = nothing."""
        added = {other: change for other, change in self.added.items() if other != name}
        removed = dict(self.removed)
        if sha256 is not None:
            removed[name] = Change.now(sha256, who)
        return State(added, removed)

    def forgetting(self, name: str) -> State:
        """Without a change of this name."""
        kept = [{n: c for n, c in changes.items() if n != name} for changes in (self.added, self.removed)]
        return State(*kept)

    def paths(self) -> dict[str, Path]:
        return {name: Path(change.value) for name, change in self.added.items()}

    @classmethod
    def read(cls, file: Path | None) -> State:
        """What the file says; nothing where there is none. Raises `ArtifactError`."""
        if file is None or not file.exists():
            return cls()
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            return cls(*({str(n): _change(c) for n, c in data[part].items()} for part in ("added", "removed")))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ArtifactError(f"{file} is no state of this server. Repair or delete it.") from error

    def write(self, file: Path) -> None:
        """Raises `OSError`."""
        parts = {part: {n: asdict(c) for n, c in getattr(self, part).items()} for part in ("added", "removed")}
        write_text(file, json.dumps({"version": VERSION, **parts}, indent=2) + "\n")


def _change(data: object) -> Change:
    """Read a change; version 1 had the value alone."""
    if isinstance(data, str):
        return Change(data)
    if isinstance(data, dict) and isinstance(data["value"], str):
        return Change(data["value"], str(data["by"]), str(data["at"]))
    raise TypeError
