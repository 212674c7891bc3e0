"""`unlearned classify`: verdicts for a file of prompts. Loads no language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def classify(
    artifact: Annotated[list[Path], typer.Argument(help="One or more artifact folders, then the file of prompts.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSONL file; default: the terminal.")] = None,
) -> None:
    """Say which prompts of a file are in a forget scope, and where: unlearned classify ARTIFACT... PROMPTS.jsonl."""
    from unlearned.artifact import combined, load
    from unlearned.cli.options import quiet, status
    from unlearned.cli.output import check_writable, write_rows
    from unlearned.errors import DataError
    from unlearned.examples import read_rows
    from unlearned.stages import text_only

    if len(artifact) < 2:
        raise DataError("Give an artifact folder and a file of prompts: unlearned classify artifacts/hp prompts.jsonl.")
    check_writable(out)
    rows = read_rows(artifact[-1])
    with status("Classifying"), quiet():
        unlearner = combined(load(*artifact[:-1]))
        verdicts = unlearner.classify([text_only(row.prompt) for row in rows])
    results: list[dict[str, Any]] = [
        {
            "id": index if row.id is None else row.id,
            "flagged": verdict.in_scope,
            "score": round(verdict.score, 6),
            "scope": verdict.scope,
            "spans": [[span.start, span.end] for span in verdict.spans],
            "languages": list(verdict.languages),
        }
        for index, (row, verdict) in enumerate(zip(rows, verdicts, strict=True))
    ]
    write_rows(out, results)
    flagged = sum(verdict.in_scope for verdict in verdicts)
    typer.echo(f"{flagged} of {len(rows)} prompts are in a forget scope.", err=True)
    unread = sum(bool(verdict.languages) for verdict in verdicts)
    if unread:
        typer.echo(f"{unread} hold text in a language that the text encoder does not read; see `languages`.", err=True)
