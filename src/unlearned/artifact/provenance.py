"""How an artifact was made: command, settings, data, who and when; enough to recognise each again. Needs no torch."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unlearned.examples import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from unlearned.artifact.schema import DataRecord, MadeRecord

BY = "UNLEARNED_BY"
"""Environment variable with the name of whoever makes artifacts; the login name otherwise, nobody if it is empty."""

Role = Literal["forget", "retain", "exempt"]


def rows_sha256(rows: Iterable[Row]) -> str:
    """Hash of the rows as a set: order and repetitions do not count, nor do other columns.

    It is the SHA-256 of the sorted SHA-256 digests of the rows, each as the JSON text `[prompt, answer]` in UTF-8
    (`null` without an answer).
    """
    digests = {
        hashlib.sha256(json.dumps([row.prompt, row.answer], ensure_ascii=False).encode()).digest() for row in rows
    }
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def data_of(rows: Mapping[Role, list[Row]]) -> list[DataRecord]:
    """One record for each role that has rows."""
    from unlearned.artifact.schema import DataRecord

    return [DataRecord(role=role, rows=len(own), sha256=rows_sha256(own)) for role, own in rows.items() if own]


def made(
    step: Literal["detector", "strength"],
    rows: Mapping[Role, list[Row]],
    config: DataclassInstance,
    *,
    seed: int | None,
) -> MadeRecord:
    """The record of a step that was done now, with the command line if it is one of `unlearned`."""
    from unlearned.artifact.schema import MadeRecord

    return MadeRecord(
        step=step,
        at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        by=who(),
        command=_command(),
        options={name: value for name, value in _plain(asdict(config)).items() if name not in ("checkpoints", "seed")},
        seed=seed,
        data=data_of(rows),
    )


def who() -> str | None:
    """See `BY`."""
    if (given := os.environ.get(BY)) is not None:
        return given or None
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in this container
        return None


def _command() -> str | None:
    """The running command of `unlearned`, without the place of the program."""
    program = Path(sys.argv[0])
    if program.name != "unlearned" and program.parts[-2:] not in (("unlearned", "__main__.py"), ("cli", "main.py")):
        return None
    return shlex.join(["unlearned", *sys.argv[1:]])


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return json.loads(json.dumps(value, default=str))
