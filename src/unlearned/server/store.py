"""Which artifacts are enforced: those given at the start, those in a watched folder, and an administrator's changes.

A request takes `current` once and keeps it, so it sees a whole set or another whole set. A change is first loaded and
checked, then written down, then put in force.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearned.artifact.artifact import Artifact, read_record
from unlearned.errors import ArtifactError, ConfigError, UnlearnedError
from unlearned.files import write_text
from unlearned.server.refusals import RefusalError
from unlearned.unlearners.eco import ECO

STATE = ".unlearned-serve.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One artifact in force."""

    name: str
    source: str
    """"option", "folder" or "admin"."""

    path: Path
    sha256: str
    """Of its record, and through that of all its files."""

    artifact: Artifact

    def shown(self) -> dict[str, Any]:
        """For the administrator."""
        scopes = [scope.name for scope in self.artifact.scopes]
        return {
            "name": self.name,
            "scopes": scopes,
            "source": self.source,
            "path": str(self.path),
            "sha256": self.sha256,
            "created": self.artifact.created,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Enforced:
    """A set of artifacts, and the unlearner for all their scopes."""

    entries: tuple[Entry, ...]
    unlearner: ECO
    digest: str = field(default="")
    """Names this set in logs and caches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where artifacts come from."""

    given: tuple[Path, ...] = ()
    folder: Path | None = None
    state: Path | None = None
    """File that keeps an administrator's changes; default: one inside `folder`."""

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_dir():
            raise ConfigError(f"There is no folder {str(self.folder)!r} to watch. Create it or check --artifact-dir.")

    @property
    def state_file(self) -> Path | None:
        return self.state or (self.folder / STATE if self.folder else None)


class ArtifactStore:
    """Keeps the set in force.

    Args:
        activate: puts artifacts in force, or raises and leaves all as it was; returns the unlearner for them.
        sources: where they come from.
        report: takes one line about what could not be used.

    Raises:
        ArtifactError: at the start every artifact must be sound; there is no older set to keep.
    """

    def __init__(
        self,
        activate: Callable[[Sequence[Artifact]], ECO],
        sources: Sources,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.sources, self.problems = sources, dict[str, str]()
        self._activate, self._report = activate, report
        self._lock = threading.RLock()
        self._added, self._removed = _read_state(sources.state_file)
        self._missing: set[str] = set()
        entries, problems = self._load({}, self._added, self._removed)
        if problems:
            raise ArtifactError(next(iter(problems.values())))
        self.current = self._enforced(entries)

    def put(self, name: str, path: Path) -> Entry:
        """Add an artifact, or replace the one of this name."""
        if not _NAME.fullmatch(name):
            raise RefusalError(400, "A name has up to 64 letters, digits, '.', '_' or '-'.", param="name")
        with self._lock:
            self._reread()
            added = {**self._added, name: path}
            removed = {other: digest for other, digest in self._removed.items() if other != name}
            self._change(added, removed)
            return next(entry for entry in self.current.entries if entry.name == name)

    def remove(self, name: str) -> None:
        """Stop enforcing an artifact. One of an option or the folder stays away until its content changes."""
        with self._lock:
            self._reread()
            known = {entry.name: entry for entry in self.current.entries}
            if name not in known:
                names = ", ".join(known) or "none"
                raise RefusalError(404, f"There is no artifact {name!r} in force. In force: {names}.", code="not_found")
            added = {other: path for other, path in self._added.items() if other != name}
            below = self._wanted(added).get(name)
            removed = dict(self._removed)
            if below is not None:
                removed[name] = read_record(below[1]).sha256
            self._change(added, removed)

    def rescan(self) -> None:
        """Look at the watched folder again, and at changes that another process of this server took.

        What is broken there keeps its last good version, and is reported.
        """
        with self._lock:
            unreadable = self._reread()
            entries, problems = self._load(
                {entry.name: entry for entry in self.current.entries}, self._added, self._removed
            )
            problems |= unreadable
            try:
                if [entry.artifact for entry in entries] != [entry.artifact for entry in self.current.entries]:
                    self.current = self._enforced(entries)
            except UnlearnedError as error:  # two artifacts with one scope, say
                problems["*"] = str(error)
            for name, problem in problems.items():
                if self.problems.get(name) != problem:
                    self._report(f"Artifact {name!r} is not used: {problem}")
            self.problems = problems

    def _reread(self) -> dict[str, str]:
        """Take up the state file if another process wrote it; what is wrong with it."""
        file = self.sources.state_file
        if file is None or not file.exists():  # deleted: nothing is dropped for that
            return {}
        try:
            self._added, self._removed = _read_state(file)
        except (ArtifactError, OSError) as error:
            return {"*": str(error)}
        return {}

    def _change(self, added: dict[str, Path], removed: dict[str, str]) -> None:
        file = self.sources.state_file
        if file is None:
            raise RefusalError(409, "A restart would lose this change. Start with --state or --artifact-dir.")
        before = self.current
        try:
            entries, problems = self._load({entry.name: entry for entry in before.entries}, added, removed)
            new = sorted(set(problems) & set(added))
            if new:
                raise ArtifactError(problems[new[0]])
            enforced = self._enforced(entries)
        except UnlearnedError as error:
            raise RefusalError(400, f"The artifacts stay as they are: {error}", code="artifact_refused") from error
        try:
            _write_state(file, added, removed)
        except OSError as error:
            self._activate([entry.artifact for entry in before.entries])
            reason = error.strerror or type(error).__name__
            raise RefusalError(500, f"{file} cannot be written, so nothing was changed: {reason}.") from error
        self._added, self._removed, self.current = added, removed, enforced

    def _wanted(self, added: Mapping[str, Path]) -> dict[str, tuple[str, Path]]:
        """Name -> source and path; later sources win."""
        wanted = {}
        for path in self.sources.given:
            name = path.resolve().name
            if name in wanted:
                raise ConfigError(f"Two artifacts are called {name!r}. Rename one of the folders.")
            wanted[name] = ("option", path)
        if self.sources.folder is not None:
            for path in sorted(self.sources.folder.iterdir()):
                if path.is_dir() and not path.name.startswith("."):
                    wanted[path.name] = ("folder", path)
        return wanted | {name: ("admin", path) for name, path in added.items()}

    def _load(
        self, known: Mapping[str, Entry], added: Mapping[str, Path], removed: Mapping[str, str]
    ) -> tuple[list[Entry], dict[str, str]]:
        """The entries that should be in force, and what is wrong with others; those keep what is `known` of them."""
        entries, problems = [], {}
        try:
            wanted = self._wanted(added)
        except OSError as error:  # the folder is gone: nothing is dropped for that
            return list(known.values()), {"*": f"The folder cannot be read: {error.strerror}."}
        for name, (source, path) in wanted.items():
            try:
                digest = read_record(path).sha256
                old = known.get(name)
                if removed.get(name) == digest:
                    continue
                if old is not None and (old.sha256, old.path, old.source) == (digest, path, source):
                    entries.append(old)
                else:
                    artifact = Artifact.from_pretrained(path)  # another one than `digest`, if it was just replaced
                    entries.append(Entry(name, source, path, artifact.sha256, artifact))
            except (UnlearnedError, OSError) as error:
                problems[name] = str(error)
                if name in known:
                    entries.append(known[name])
        # A folder is swapped by two renames, between which it is not there: only a second look tells it was removed.
        gone = {entry.name for entry in known.values() if entry.source == "folder"} - set(wanted)
        entries += [known[name] for name in gone if name not in self._missing and name not in added]
        self._missing = gone
        return sorted(entries, key=lambda entry: entry.name), problems

    def _enforced(self, entries: Sequence[Entry]) -> Enforced:
        unlearner = self._activate([entry.artifact for entry in entries])
        digest = hashlib.sha256("\n".join(sorted(entry.sha256 for entry in entries)).encode()).hexdigest()
        return Enforced(tuple(entries), unlearner, digest)


def _read_state(file: Path | None) -> tuple[dict[str, Path], dict[str, str]]:
    if file is None or not file.exists():
        return {}, {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        added = {str(name): Path(path) for name, path in data["added"].items()}
        return added, {str(name): str(digest) for name, digest in data["removed"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArtifactError(f"{file} is no state of this server. Repair or delete it.") from error


def _write_state(file: Path, added: Mapping[str, Path], removed: Mapping[str, str]) -> None:
    state = {
        "version": 1,
        "added": {name: str(path.resolve()) for name, path in added.items()},
        "removed": dict(removed),
    }
    write_text(file, json.dumps(state, indent=2) + "\n")
