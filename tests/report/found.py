"""What a report finds in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_run import make_run

from unlearned.report.limits import limits
from unlearned.report.read import read_run
from unlearned.report.run import ReportedRun


def run_of(folder: Path, **options: Any) -> ReportedRun:
    make_run(folder / "run", **options)
    return read_run(folder / "run")


def said(run: ReportedRun, *, marked: bool = True, artifacts: bool = True) -> str:
    return "\n".join(limits(run, marked=marked, artifacts=artifacts))
