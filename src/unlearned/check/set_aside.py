"""Without held-out prompts: set part of the fit's own aside, and make the detector anew without them. It is weaker."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.provenance import rows_sha256
from unlearned.artifact.schema import UnlearnerRecord
from unlearned.classify.lexicon import ScopeName
from unlearned.errors import DataError
from unlearned.examples import Row, read_rows
from unlearned.learn.config import ClassifierConfig, FitConfig
from unlearned.learn.fit import fit_detector
from unlearned.progress import Progress

EVERY = 5
"""One of so many prompts is set aside."""


def own_files(record: UnlearnerRecord) -> dict[str, list[Row]]:
    """The rows that the artifact was fitted with, from the files that its command named.

    Raises:
        DataError: the command is not recorded, or a file is not there any more, or holds other rows.
    """
    hint = "Give prompts that it was not fitted with: --forget FILE --retain FILE."
    found: dict[str, list[Row]] = {}
    for step in record.made:
        words = shlex.split(step.command or "")
        for one in step.data:
            named = _named(words, f"--{one.role}")
            if one.role in found or named is None:
                continue
            file = Path(named)
            if not file.is_file():
                raise DataError(f"The file {file} of the fit is not there any more. {hint}")
            rows = read_rows(
                file,
                prompt_column=_named(words, "--prompt-column"),
                answer_column=_named(words, "--answer-column") if one.role == "forget" else None,
            )
            if rows_sha256(rows) != one.sha256:
                raise DataError(f"{file} does not hold what the artifact was fitted with. {hint}")
            found[one.role] = rows
    if "forget" not in found:
        raise DataError(f"The record does not say from which files the artifact was made. {hint}")
    return found


def _named(words: Sequence[str], option: str) -> str | None:
    """The value of an option of a command line."""
    joined = next((word.partition("=")[2] for word in words if word.startswith(f"{option}=")), None)
    return words[words.index(option) + 1] if option in words[:-1] else joined


def without_some(
    artifact: Artifact, rows: dict[str, list[Row]], report: Progress
) -> tuple[Artifact, list[Row], list[Row]]:
    """The artifact with a detector that was fitted without some prompts, and those: (artifact, forget, retain).

    Raises:
        DataError: there are too few prompts, or the artifact has several scopes.
    """
    if len(artifact.scopes) != 1:
        raise DataError("An artifact of several scopes is checked with --forget FILE.")
    forget, aside = _split(rows["forget"])
    retain, close = _split(rows.get("retain", []))
    if not aside:
        raise DataError(f"{len(forget)} forget prompts are too few to set some aside. Give --forget FILE.")
    step = next(step for step in artifact.made if step.step == "detector")
    known = {f.name for f in fields(ClassifierConfig)}
    options = {name: value for name, value in step.options.items() if name in known}
    options["names"] = tuple(
        ScopeName(**{**one, "aliases": tuple(one["aliases"])}) for one in options.get("names") or ()
    )
    config = FitConfig(**options, seed=0)
    own = artifact.scopes[0]
    made = fit_detector(
        forget, retain, scope=own.name, exempt=rows.get("exempt", []), config=config, on_progress=report
    )
    scope = replace(
        made.scopes[0], secret=own.secret, selector=own.selector, corruption=own.corruption, enrolled=own.enrolled
    )
    return replace(artifact, scopes=(scope,)), aside, close


def _split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """(what stays, what is set aside)."""
    if len(rows) < EVERY:
        return list(rows), []
    return [row for n, row in enumerate(rows) if n % EVERY], list(rows[::EVERY])
