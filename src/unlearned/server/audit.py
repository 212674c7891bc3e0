"""The history of what a server enforced: an append-only file, each line chained by hash to the one before.

A line is JSON with `number`, `time`, `event`, what the event says, `previous` (the hash of the line before) and
`sha256` (of the line without this field, keys sorted, in UTF-8). The first line of all has `previous` of 64 zeros. A
file that was moved away is continued by a new one; where that goes on is kept in a small file beside it, `NAME.head`,
by which a file that was cut at its end is recognised, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from unlearned.errors import DataError
from unlearned.files import write_text

START = "0" * 64
LONGEST = 16 * 2**20
"""Bytes of a file, from which a new one is begun: FILE becomes FILE.1, that becomes FILE.2, and so on."""

OWN = ("number", "time", "event", "previous", "sha256")


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where the chain ends."""

    number: int = 0
    sha256: str = START


class Audit:
    """Appends to the file. Several processes may: each line is written under a lock.

    Args:
        file: where; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lock = threading.Lock()

    def write(self, event: str, **said: Any) -> str | None:
        """Append an event; the hash of its line, None where nothing is kept.

        Raises:
            OSError: it could not be written.
        """
        if self.file is None:
            return None
        with self._lock, _locked(self.file):
            head = _head(self.file)
            line: dict[str, Any] = {
                "number": head.number + 1,
                "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                "event": event,
                **said,
                "previous": head.sha256,
            }
            line["sha256"] = line_sha256(line)
            if self.file.exists() and self.file.stat().st_size > LONGEST:
                _rotate(self.file)
            _append(self.file, json.dumps(line, ensure_ascii=False) + "\n")
            write_text(_head_file(self.file), json.dumps({"number": line["number"], "sha256": line["sha256"]}) + "\n")
            return str(line["sha256"])


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """An audit whose chain holds."""

    files: tuple[Path, ...]
    """Oldest first."""

    lines: tuple[Mapping[str, Any], ...]

    @property
    def head(self) -> ChainHead:
        return ChainHead(self.lines[-1]["number"], self.lines[-1]["sha256"]) if self.lines else ChainHead()


def verify(*given: Path, expect: str | None = None) -> VerifiedChain:
    """Check the chain from its first line to its last.

    Args:
        given: files, oldest first. Of a single one, FILE.1, FILE.2, ... beside it are read, too.
        expect: the hash of a line, as a log or an earlier check had it, which must be there.

    Raises:
        DataError: a line was changed, removed, added, or is missing at either end; says which.
    """
    files = tuple(given) if len(given) > 1 else (*_rotated(given[0]), given[0])
    found: list[Mapping[str, Any]] = []
    head = ChainHead()
    for file in files:
        for place, line in _lines(file):
            if line.get("previous") != head.sha256 or line.get("number") != head.number + 1:
                raise DataError(_broken(place, line, head, is_first=not found))
            if line_sha256(line) != line.get("sha256"):
                raise DataError(f"{place}: this line was changed after it was written: its hash differs.")
            head = ChainHead(line["number"], line["sha256"])
            found.append(line)
    kept = _read_head(_head_file(files[-1]))
    if kept is not None and kept.number > head.number:
        raise DataError(
            f"{files[-1]} ends with line {head.number}, but {kept.number} were written: its end is missing."
        )
    if expect is not None and not any(line["sha256"].startswith(expect.lower()) for line in found):
        raise DataError(f"No line has the hash {expect}. This is not the history that had it.")
    return VerifiedChain(files, tuple(found))


def line_sha256(line: Mapping[str, Any]) -> str:
    """Hash of everything else in the line."""
    said = {name: value for name, value in line.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _broken(place: str, line: Mapping[str, Any], head: ChainHead, *, is_first: bool) -> str:
    if is_first:
        return (
            f"{place}: the history goes on here from line {line.get('number', 2) - 1} of an earlier file. Give that "
            "file as well, before this one."
        )
    return f"{place}: does not follow line {head.number}: lines were removed, added or put in another order."


def _lines(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}. Check the path.") from error
    for number, text in enumerate(raw.split(b"\n"), start=1):
        if text.strip():
            place = f"{file}, line {number}"
            line = _parsed(text)
            if line is None:
                raise DataError(
                    f"{place}: is no entry of an audit. It was changed, or the machine failed while writing."
                )
            yield place, line


def _parsed(text: bytes) -> Mapping[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    is_entry = isinstance(line, dict) and all(name in line for name in OWN) and isinstance(line["number"], int)
    return line if is_entry and isinstance(line["sha256"], str) else None


def _head(file: Path) -> ChainHead:
    """What is to be continued: the file's last line, or where a file that was moved away ended."""
    kept = _read_head(_head_file(file)) or ChainHead()
    if not file.exists():
        return kept
    for text in reversed(file.read_bytes().split(b"\n")):
        if (line := _parsed(text)) is not None:
            return max(ChainHead(line["number"], line["sha256"]), kept, key=lambda head: head.number)
    return kept


def _read_head(file: Path) -> ChainHead | None:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return ChainHead(int(data["number"]), str(data["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _head_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.head")


def _append(file: Path, text: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        if (size := os.fstat(handle).st_size) and not _ends_a_line(file, size):
            text = "\n" + text  # a write that was cut off stays visible, on a line of its own
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _ends_a_line(file: Path, size: int) -> bool:
    with file.open("rb") as reader:
        reader.seek(size - 1)
        return reader.read(1) == b"\n"


def _rotated(file: Path) -> list[Path]:
    """FILE.2, FILE.1: the oldest first."""
    older: list[Path] = []
    while (path := file.with_name(f"{file.name}.{len(older) + 1}")).exists():
        older.append(path)
    return older[::-1]


def _rotate(file: Path) -> None:
    older = _rotated(file)
    for index, path in enumerate(older):
        path.rename(file.with_name(f"{file.name}.{len(older) - index + 1}"))
    file.rename(file.with_name(f"{file.name}.1"))


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One writer at a time, of all processes; where the system has no such locks, of this one."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(file.with_name(f"{file.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def tail(lines: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    """The last lines as a person reads them."""
    shown = []
    for line in lines[-count:] if count else []:
        said = ", ".join(f"{name} {_short(value)}" for name, value in line.items() if name not in OWN and value)
        shown.append(f"{line['number']:>5}  {str(line['time'])[:19]}  {line['event']}: {said}")
    return shown


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:16] if is_hash else text
