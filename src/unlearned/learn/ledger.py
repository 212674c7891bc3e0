"""Evaluations on disk, one JSON line each: a search that was killed goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from unlearned.errors import DataError
from unlearned.files import write_text
from unlearned.learn.objective import Evaluation


class Ledger:
    """What was evaluated before, by candidate (function and token selector) and parameter.

    Args:
        path: the file; None keeps nothing.
        fingerprint: of everything that the evaluations depend on; a file of another one is started anew.

    Raises:
        DataError: the file cannot be written.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path = path
        self._known: dict[str, dict[float, Evaluation]] = {}
        if path is None:
            return
        lines = _lines(path)
        if lines and lines[0] == {"fingerprint": fingerprint}:
            for line in lines[1:]:
                candidate = line.pop("candidate", "")
                if line.keys() == {field.name for field in fields(Evaluation)}:
                    evaluation = Evaluation(**line)
                    self._known.setdefault(candidate, {})[evaluation.parameter] = evaluation
        kept = "".join(_written(candidate, known.values()) for candidate, known in self._known.items())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Again, without a line that was cut short; whole or not at all, so that a kill here loses nothing.
            write_text(path, json.dumps({"fingerprint": fingerprint}) + "\n" + kept)
        except OSError as error:
            raise DataError(f"Cannot write {path}: {error.strerror}.") from error

    def known(self, candidate: str) -> dict[float, Evaluation]:
        """Parameter -> evaluation."""
        return dict(self._known.get(candidate, {}))

    def add(self, candidate: str, evaluations: Iterable[Evaluation]) -> None:
        """Remember evaluations, also after a crash."""
        found = list(evaluations)
        self._known.setdefault(candidate, {}).update({e.parameter: e for e in found})
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_written(candidate, found))


def _written(candidate: str, evaluations: Iterable[Evaluation]) -> str:
    return "".join(json.dumps({"candidate": candidate, **asdict(e)}) + "\n" for e in evaluations)


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: the last one may be cut short."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return [line for line in found if isinstance(line, dict)]
