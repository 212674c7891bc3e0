"""Where results go: a file, or the terminal; row by row, so that nothing that was worked out is lost."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unlearned.errors import DataError
from unlearned.files import write_text

Put = Callable[[int, dict[str, Any]], None]
"""Takes the place of an input row, and what was found for it."""


def check_writable(path: Path | None) -> None:
    """Before a long job: raise `DataError` if its result could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise DataError(f"{path} is a folder. Give a file name for --out.")
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {path.parent}. Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"The folder {path.parent} cannot be written to.")


def never_fail_on_a_character() -> None:
    """What the terminal's encoding has no place for is written as an escape; an answer is not lost for an emoji."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def as_line(row: Mapping[str, Any], encoding: str | None = "utf-8") -> str:
    """JSON; where an encoding lacks a character, with JSON's own escapes."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode(encoding or "ascii")
    except UnicodeEncodeError:
        return json.dumps(row)
    return text


class Rows:
    """Results of a file of prompts, each kept as soon as it is put.

    With a file, rows are collected in `OUT.part`; at the end `OUT` appears, in the input's order. A run that was
    interrupted goes on from there. On the terminal, rows appear in the input's order.

    Args:
        out: the file; None = the terminal.
        settings: what the results depend on; JSON-ready.
        inputs: (id, prompt) of every row.
    """

    def __init__(self, out: Path | None, settings: Mapping[str, Any], inputs: list[tuple[Any, str]]) -> None:
        self.out, self.inputs = out, inputs
        self._settings = json.loads(json.dumps(settings, default=str))
        self.found: dict[int, dict[str, Any]] = {}
        self._shown = 0
        self._part = None if out is None else out.with_name(f"{out.name}.part")
        if self._part is not None:
            self._take_up(self._part)

    @property
    def missing(self) -> list[int]:
        """Places of rows without a result."""
        return [place for place in range(len(self.inputs)) if place not in self.found]

    def put(self, place: int, row: dict[str, Any]) -> None:
        self.found[place] = row
        if self._part is not None:
            with self._part.open("a", encoding="utf-8") as file:
                file.write(as_line({"prompt": self.inputs[place][1], "row": row}) + "\n")
        else:
            while self._shown in self.found:
                self._print(self._shown)
                self._shown += 1

    def finish(self) -> None:
        """Every row has its result."""
        if self.out is not None and self._part is not None:
            lines = (as_line(self.found[place]) + "\n" for place in range(len(self.inputs)))
            write_text(self.out, "".join(lines))
            self._part.unlink(missing_ok=True)

    def interrupted(self) -> None:
        """Show what is done; a file keeps it."""
        if self._part is not None:
            if not self.found:
                self._part.unlink(missing_ok=True)
        else:
            for place in sorted(self.found):
                if place >= self._shown:
                    self._print(place)

    def _print(self, place: int) -> None:
        print(as_line(self.found[place], sys.stdout.encoding), flush=True)

    def _take_up(self, part: Path) -> None:
        head = {"unlearned": self._settings}
        try:
            lines = part.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            lines = []
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{part} cannot be read. Remove it to start over.") from error
        kept = [data for line in lines if (data := _read(line)) is not None]
        if kept and kept[0] != head:
            raise DataError(
                f"{part} keeps the rows of an interrupted run with other settings. Run that again to its end, or "
                "remove the file."
            )
        places = {key: place for place, key in reversed(list(enumerate(self.inputs)))}
        for data in kept[1:]:
            if (place := places.pop((data["row"]["id"], data["prompt"]), None)) is not None:
                self.found[place] = data["row"]
        # Anew: the last line may be half a line.
        again = [{"prompt": self.inputs[place][1], "row": row} for place, row in self.found.items()]
        write_text(part, "".join(as_line(data) + "\n" for data in (head, *again)))


def folder_sha256(folder: Path) -> str:
    """Hash of the files in a folder and below it, as a setting that results depend on."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _read(line: str) -> dict[str, Any] | None:
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


@contextmanager
def results(out: Path | None, settings: Mapping[str, Any], inputs: list[tuple[Any, str]]) -> Iterator[Rows]:
    """Rows to put; when the block ends they are whole, and after an error nothing is lost."""
    rows = Rows(out, settings, inputs)
    try:
        yield rows
    except BaseException:
        rows.interrupted()
        raise
    rows.finish()
