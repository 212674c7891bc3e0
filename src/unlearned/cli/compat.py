"""`unlearned compat`: on which model types of the installed transformers does the injection work?"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearned.cli.options import names

if TYPE_CHECKING:
    from unlearned.cli.table import Table
    from unlearned.compat import Status, TypeResult

COLOURS: dict[Status, str] = {"pass": "green", "partial": "yellow", "fail": "red", "not built": "dim"}


def compat(
    types: Annotated[str | None, typer.Option(help="Only these model types, separated by commas.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write every check as JSON.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes at a time, one thread each.")] = 2,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds per model type.")] = 60.0,
) -> None:
    """Check the injection on a tiny random model of every causal-LM type that the installed transformers knows.

    Needs no network. Exits with 1 if a known type that is no exception does not pass, or one that the self-check lets
    through leaks. A type that a later release of transformers has added is only reported.
    """
    from unlearned.cli.console import console as make_console
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.compat import model_types, run_all
    from unlearned.compat.exceptions import EXCEPTIONS, KNOWN, RELEASE
    from unlearned.files import write_text

    check_writable(json_file)
    chosen = model_types() if types is None else list(names(types))
    started = time.perf_counter()
    with progress() as report:
        done: list[TypeResult] = []

        def show(result: TypeResult) -> None:
            done.append(result)
            report("model types", len(done), len(set(chosen)))

        results = run_all(chosen, workers=workers, timeout=timeout, progress=show)
    record = _record(results, time.perf_counter() - started)
    if json_file is not None:
        write_text(json_file, json.dumps(record, indent=2) + "\n")
    console = make_console()
    console.print(_table(results))
    totals = ", ".join(f"{count} {status}" for status, count in record["totals"].items() if count)
    console.print(f"{totals} of {len(results)} types, transformers {record['transformers']}, {record['seconds']:.0f} s")
    if new := [r for r in results if r.model_type not in KNOWN]:
        told = ", ".join(f"{r.model_type} ({r.status})" for r in new)
        console.print(f"New since transformers {RELEASE}: {told}", style="yellow")
    excepted = [r for r in results if r.status in ("partial", "not built") and r.model_type in EXCEPTIONS]
    other = [r for r in results if r.status != "pass" and r not in excepted and (r.unsafe or r not in new)]
    if other:
        names_of = ", ".join(f"{r.model_type} (leaks)" if r.unsafe else r.model_type for r in other)
        console.print(f"Not passing, and not a known exception: {names_of}", style="red")
        raise typer.Exit(1)


def _table(results: list[TypeResult]) -> Table:
    from rich.text import Text

    from unlearned.cli.table import Table

    table = Table("model type", "result", "remarks", "seconds")
    table.columns[3].justify = "right"
    for result in results:
        status = Text(result.status, style=COLOURS[result.status])
        table.add_row(result.model_type, status, Text(_remarks(result)), f"{result.seconds:.1f}")
    return table


def _remarks(result: TypeResult) -> str:
    from unlearned.compat.exceptions import EXCEPTIONS

    if result.status == "fail":
        return result.cause
    if result.status != "pass":
        return EXCEPTIONS.get(result.model_type, result.cause)
    missing = [check.name for check in result.checks if check.outcome == "n/a upstream"]
    return f"not offered by the model itself: {', '.join(missing)}" if missing else ""


def _record(results: list[TypeResult], seconds: float) -> dict[str, Any]:
    import torch
    import transformers

    counts = Counter(result.status for result in results)
    return {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
        "totals": {status: counts[status] for status in COLOURS},
        "types": [asdict(result) for result in results],
    }
