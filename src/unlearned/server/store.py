"""Which artifacts are enforced: those given at the start, those in a watched folder, and an administrator's changes.

A request takes `current` once and keeps it, so it sees a whole set or another whole set. A change is first loaded and
checked, then written down (in the audit, then in the state file), then put in force. What is given at the start wins
over what was removed before: a server does not come up without the protection that its command line names.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from unlearned.artifact.activation import scopes_of
from unlearned.artifact.in_force import Hold
from unlearned.artifact.loading import Loaded, read
from unlearned.artifact.record import Identity, identify
from unlearned.artifact.signing import read_trusted
from unlearned.errors import ArtifactError, ConfigError, UnlearnedError
from unlearned.server.audit import Audit
from unlearned.server.refusals import RefusalError
from unlearned.server.state import State, Who
from unlearned.unlearners.base import Unlearner

STATE = ".unlearned-serve.json"
UNUSED = (".previous", ".unfinished")
"""Endings of folders beside artifacts that are not enforced: what was replaced, and what is not ready."""

Enforcing = TypeVar("Enforcing", bound=Unlearner)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One artifact in force."""

    name: str
    source: str
    """"option", "folder" or "admin"."""

    path: Path
    sha256: str
    """Hash of its record, which covers all its files."""

    artifact: Loaded
    """The artifact, of any kind."""

    known: Identity
    """What its record says."""

    hold: Hold
    """By which other programs see that it is in force."""

    def shown(self) -> dict[str, Any]:
        """Facts for the administrator."""
        return {
            "name": self.name,
            "method": self.known.method,
            "scopes": list(scopes_of(self.artifact)),
            "source": self.source,
            "path": str(self.path),
            "sha256": self.sha256,
            "created": self.known.created,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Enforced(Generic[Enforcing]):
    """A set of artifacts, and the one unlearner that does what all of them do."""

    entries: tuple[Entry, ...]
    unlearner: Enforcing
    digest: str = field(default="")
    """Names this set in logs and caches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where artifacts come from."""

    given: tuple[Path, ...] = ()
    folder: Path | None = None
    state: Path | None = None
    """File that keeps an administrator's changes; default: one inside `folder`."""

    audit: Path | None = None
    """File that keeps the history of changes; default: one beside the state file."""

    trusted_keys: Path | None = None
    """File of public keys, of which one must have signed whatever is enforced; None = nothing need be signed."""

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_dir():
            raise ConfigError(f"There is no folder {str(self.folder)!r} to watch. Create it or check --artifact-dir.")

    @property
    def state_file(self) -> Path | None:
        return self.state or (self.folder / STATE if self.folder else None)

    @property
    def audit_file(self) -> Path | None:
        beside = self.state_file
        return self.audit or (beside.with_name(f"{beside.stem}.audit.jsonl") if beside else None)


class ArtifactStore(Generic[Enforcing]):
    """Keeps the set in force.

    Args:
        activate: puts artifacts of any kind in force, or raises and leaves all as it was; returns one unlearner that
            does what they do together.
        sources: where they come from.
        report: takes one line about what changed or could not be used, and fields that say the same for programs.

    Raises:
        ArtifactError: at the start every artifact must be sound; there is no older set to keep.
        ConfigError: what holds cannot be written down.
    """

    def __init__(
        self,
        activate: Callable[[Sequence[Loaded]], Enforcing],
        sources: Sources,
        report: Callable[..., None] = lambda line, **said: None,
    ) -> None:
        self.sources, self.problems = sources, dict[str, str]()
        self.audit = Audit(sources.audit_file)
        self._activate, self._report = activate, report
        self._trusted = None if sources.trusted_keys is None else read_trusted(sources.trusted_keys)
        self._lock = threading.RLock()
        self._state = self._with_given(State.read(sources.state_file))
        self._missing: set[str] = set()
        entries, problems = self._load({}, self._state)
        if problems:
            raise ArtifactError(next(iter(problems.values())))
        self.current = self._enforced(entries)
        in_force = {entry.name: entry.sha256 for entry in entries}
        try:
            self._note("start", artifacts=in_force, digest=self.current.digest)
        except OSError as error:  # of a folder that is only read: then nothing can be changed either
            self._report(f"The audit cannot be written, so changes will be refused: {error}", artifacts=in_force)

    def put(self, name: str, path: Path, who: Who = Who()) -> Entry:  # noqa: B008
        """Add an artifact, or replace the one of this name."""
        if not _NAME.fullmatch(name):
            raise RefusalError(400, "A name has up to 64 letters, digits, '.', '_' or '-'.", param="name")
        with self._lock:
            self._reread()
            self._change(name, self._state.with_added(name, path, who), who)
            return next(entry for entry in self.current.entries if entry.name == name)

    def remove(self, name: str, who: Who = Who()) -> None:  # noqa: B008
        """Stop enforcing an artifact.

        An artifact of the folder stays away until its content changes, one given at the start until the next start.
        """
        with self._lock:
            self._reread()
            known = {entry.name: entry for entry in self.current.entries}
            if name not in known:
                names = ", ".join(known) or "none"
                raise RefusalError(404, f"There is no artifact {name!r} in force. In force: {names}.", code="not_found")
            below = self._wanted({n: p for n, p in self._state.paths().items() if n != name}).get(name)
            self._change(name, self._state.without(name, identify(below[1]).sha256 if below else None, who), who)

    def rescan(self) -> None:
        """Look at the watched folder again, and at changes that another process of this server took.

        What is broken there keeps its last good version, and is reported.
        """
        with self._lock:
            unreadable = self._reread()
            before = self.current.entries
            entries, problems = self._load({entry.name: entry for entry in before}, self._state)
            problems |= unreadable
            try:
                if [entry.artifact for entry in entries] != [entry.artifact for entry in before]:
                    self.current = self._enforced(entries)
                    self._note_difference(before, entries)
            except UnlearnedError as error:  # two artifacts with one scope, say
                problems["*"] = str(error)
            for name, problem in problems.items():
                if self.problems.get(name) != problem:
                    self._report(f"Artifact {name!r} is not used: {problem}", artifact=name, outcome="not used")
            self.problems = problems

    def removed(self) -> dict[str, str]:
        """What would be enforced, had it not been removed: name -> who removed it, and when."""
        wanted = self._wanted(self._state.paths())
        return {name: change.told() for name, change in self._state.removed.items() if name in wanted}

    def _with_given(self, state: State) -> State:
        """The state without changes that would leave a scope of the command line unprotected."""
        for path in self.sources.given:
            name, record = path.resolve().name, identify(path)
            change, what = state.removed.get(name), "removed"
            if change is None or change.value != record.sha256:
                change, what = state.added.get(name), "replaced"
                if change is None or _protects_as(identify(Path(change.value)), record):
                    continue
            state = state.forgetting(name)
            try:
                self._note(
                    "restored", artifact=name, new_sha256=record.sha256, scopes=sorted(record.scopes), was=change.told()
                )
                state.write(self.sources.state_file)  # type: ignore[arg-type]  # there is one: it held the change
            except OSError as error:
                raise ConfigError(f"{self.sources.state_file} cannot be written: {error.strerror}.") from error
            self._report(
                f"{name!r} had been {what} {change.told()}. It is on the command line, so it is enforced again; to go "
                "on without it, leave it out there.",
                artifact=name,
                outcome="restored",
            )
        return state

    def _reread(self) -> dict[str, str]:
        """Take up the state file if another process wrote it; what is wrong with it."""
        file = self.sources.state_file
        if file is None or not file.exists():  # deleted: nothing is dropped for that
            return {}
        try:
            self._state = State.read(file)
        except (ArtifactError, OSError) as error:
            return {"*": str(error)}
        return {}

    def _change(self, name: str, state: State, who: Who) -> None:
        file = self.sources.state_file
        if file is None:
            raise RefusalError(409, "A restart would lose this change. Start with --state or --artifact-dir.")
        before = self.current
        said = _difference(before.entries, before.entries, name) | {"key": who.key, "request": who.request}
        try:
            entries, problems = self._load({entry.name: entry for entry in before.entries}, state)
            new = sorted(set(problems) & set(state.added))
            if new:
                raise ArtifactError(problems[new[0]])
            enforced = self._enforced(entries)
        except UnlearnedError as error:
            self._note("refused", **said, outcome=str(error))
            raise RefusalError(400, f"The artifacts stay as they are: {error}", code="artifact_refused") from error
        said |= _difference(before.entries, entries, name)
        event = _event(said)
        try:
            self._note(event, **said, outcome="done", digest=enforced.digest)  # first: no change without a trace
            state.write(file)
        except OSError as error:
            self._activate([entry.artifact for entry in before.entries])
            reason = error.strerror or type(error).__name__
            self._note_failure(event, said, reason)
            raise RefusalError(500, f"{file} cannot be written, so nothing was changed: {reason}.") from error
        self._state, self.current = state, enforced

    def _note(self, event: str, **said: Any) -> None:
        """Into the audit, then into the log, with the hash of the audit's line."""
        kept = self.audit.write(event, **said)
        name = f" {said['artifact']!r}" if "artifact" in said else ""
        self._report(f"artifacts: {event}{name}", **said, **({"audit": kept} if kept else {}))

    def _note_failure(self, event: str, said: Mapping[str, Any], reason: str) -> None:
        try:
            self._note("failed", **said, outcome=f"{event} was not done: {reason}")
        except OSError:  # the audit itself cannot be written
            self._report(f"The audit cannot be written: {reason}", **said, outcome="failed")

    def _note_difference(self, before: Sequence[Entry], after: Sequence[Entry]) -> None:
        """What the folder or another process of this server changed."""
        for name in sorted({entry.name for entry in (*before, *after)}):
            said = _difference(before, after, name)
            if said["old_sha256"] != said["new_sha256"]:
                try:
                    self._note(_event(said), **said, by="folder or another process", outcome="done")
                except OSError as error:
                    self._note_failure(_event(said), said, error.strerror or type(error).__name__)

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
                if path.is_dir() and not path.name.startswith(".") and not path.name.endswith(UNUSED):
                    wanted[path.name] = ("folder", path)
        return wanted | {name: ("admin", path) for name, path in added.items()}

    def _load(self, known: Mapping[str, Entry], state: State) -> tuple[list[Entry], dict[str, str]]:
        """The entries that should be in force, and what is wrong with others; those keep what is `known` of them."""
        entries, problems, added = [], {}, state.paths()
        try:
            wanted = self._wanted(added)
        except OSError as error:  # the folder is gone: nothing is dropped for that
            return list(known.values()), {"*": f"The folder cannot be read: {error.strerror}."}
        for name, (source, path) in wanted.items():
            try:
                record = identify(path)
                digest = record.sha256
                old = known.get(name)
                if name in state.removed and state.removed[name].value == digest:
                    continue
                if old is not None and (old.sha256, old.path, old.source) == (digest, path, source):
                    entries.append(old)
                else:
                    artifact = read(path, trusted=self._trusted)
                    if artifact.sha256 != digest:  # it was just replaced
                        record = identify(path)
                    entries.append(Entry(name, source, path, artifact.sha256, artifact, record, Hold(path)))
            except (UnlearnedError, OSError) as error:
                problems[name] = str(error)
                if name in known:
                    entries.append(known[name])
        # A folder is swapped by two renames, between which it is not there: only a second look tells it was removed.
        gone = {entry.name for entry in known.values() if entry.source == "folder"} - set(wanted)
        entries += [known[name] for name in gone if name not in self._missing and name not in added]
        self._missing = gone
        return sorted(entries, key=lambda entry: entry.name), problems

    def _enforced(self, entries: Sequence[Entry]) -> Enforced[Enforcing]:
        unlearner = self._activate([entry.artifact for entry in entries])
        return Enforced(tuple(entries), unlearner, digest_of([entry.sha256 for entry in entries]))


def _protects_as(replacement: Identity, given: Identity) -> bool:
    """Whether what an administrator put in the place of a given artifact is of its kind, with all of its scopes."""
    same = (replacement.method, replacement.kind) == (given.method, given.kind)
    return same and set(given.scopes) <= set(replacement.scopes)


def digest_of(hashes: Sequence[str]) -> str:
    """Names a set of artifacts: a single one by its own hash, more by that of their sorted hashes, one a line."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def _difference(before: Sequence[Entry], after: Sequence[Entry], name: str) -> dict[str, Any]:
    """What happens to one artifact, for the audit."""
    old, new = (next((entry for entry in entries if entry.name == name), None) for entries in (before, after))
    scopes = [scope for entry in (new or old,) if entry is not None for scope in scopes_of(entry.artifact)]
    return {
        "artifact": name,
        "scopes": scopes,
        "old_sha256": old.sha256 if old else None,
        "new_sha256": new.sha256 if new else None,
    }


def _event(said: Mapping[str, Any]) -> str:
    old, new = said["old_sha256"], said["new_sha256"]
    return "added" if old is None else "removed" if new is None else "replaced"
