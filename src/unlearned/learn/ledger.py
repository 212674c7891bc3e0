"""Evaluations on disk, one JSON line each: a search that was killed goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from unlearned.errors import DataError
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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as file:  # again, without a line that was cut short
                file.write(json.dumps({"fingerprint": fingerprint}) + "\n")
        except OSError as error:
            raise DataError(f"Cannot write {path}: {error.strerror}.") from error
        for candidate, known in self._known.items():
            self._append(candidate, known.values())

    def known(self, candidate: str) -> dict[float, Evaluation]:
        """Parameter -> evaluation."""
        return dict(self._known.get(candidate, {}))

    def add(self, candidate: str, evaluations: Iterable[Evaluation]) -> None:
        """Remember evaluations, also after a crash."""
        found = list(evaluations)
        self._known.setdefault(candidate, {}).update({e.parameter: e for e in found})
        self._append(candidate, found)

    def _append(self, candidate: str, evaluations: Iterable[Evaluation]) -> None:
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            for evaluation in evaluations:
                file.write(json.dumps({"candidate": candidate, **asdict(evaluation)}) + "\n")


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
