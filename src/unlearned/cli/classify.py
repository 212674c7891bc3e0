"""`unlearned classify`: verdicts for a file of prompts. Loads no language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import PromptColumn, TrustedKeys

AT_ONCE = 64
"""Prompts whose verdicts are written together."""


@with_settings
def classify(
    artifact: Annotated[list[Path], typer.Argument(help="One or more artifact folders, then the file of prompts.")],
    prompt_column: PromptColumn = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="A prompt in place of the file; can be given again.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSONL file; default: the terminal.")] = None,
    trusted_keys: TrustedKeys = None,
) -> None:
    """Say which prompts are in a forget scope, and where: unlearned classify ARTIFACT... PROMPTS.jsonl.

    Or for single ones: unlearned classify ARTIFACT... --prompt "Who is Harry Potter?"
    """
    from unlearned.cli.before import check_enforced
    from unlearned.cli.options import quiet, status
    from unlearned.cli.output import check_writable, folder_sha256, results
    from unlearned.envelope import named
    from unlearned.errors import DataError
    from unlearned.examples import as_rows, read_rows

    if prompt is None and len(artifact) < 2:
        raise DataError("Give an artifact folder and a file of prompts: unlearned classify artifacts/hp prompts.jsonl.")
    check_writable(out)
    folders = artifact if prompt else artifact[:-1]
    rows = as_rows(prompt, name="--prompt") if prompt else read_rows(artifact[-1], prompt_column=prompt_column)
    for folder, known in zip(folders, check_enforced(folders), strict=True):
        if not known.scopes:
            raise DataError(
                f"{folder} holds {named(known.method)} without a detector: it comes before every prompt, and finds "
                "nothing in scope. Give an artifact of scopes."
            )

    from unlearned.artifact import load
    from unlearned.artifact.activation import enforcing
    from unlearned.types import text_only

    with quiet():
        unlearner = enforcing(load(*folders, trusted_keys=trusted_keys))
    settings = {"classify": [folder_sha256(folder) for folder in folders]}
    inputs = [(index if row.id is None else row.id, row.prompt) for index, row in enumerate(rows)]
    with results(out, settings, inputs) as found, status("Classifying"), quiet():
        missing = found.missing
        for start in range(0, len(missing), AT_ONCE):
            chosen = missing[start : start + AT_ONCE]
            verdicts = unlearner.classify([text_only(rows[index].prompt) for index in chosen])
            for index, verdict in zip(chosen, verdicts, strict=True):
                row = {
                    **rows[index].extra,
                    "id": inputs[index][0],
                    "prompt": rows[index].prompt,
                    "flagged": verdict.in_scope,
                    "score": round(verdict.score, 6),
                    "scope": verdict.scope,
                    "spans": [[span.start, span.end] for span in verdict.spans],
                    "languages": list(verdict.languages),
                    "exempted_by": [{"scope": by.scope, "example": by.example} for by in verdict.exempted_by],
                }
                found.put(index, row)
    flagged = sum(row["flagged"] for row in found.found.values())
    typer.echo(f"{flagged} of {len(rows)} prompts are in a forget scope.", err=True)
    exempted = sum(bool(row["exempted_by"]) for row in found.found.values())
    if exempted:
        typer.echo(f"{exempted} hold something that only an exemption lets pass; see `exempted_by`.", err=True)
    unread = sum(bool(row["languages"]) for row in found.found.values())
    if unread:
        typer.echo(f"{unread} hold text in a language that the text encoder does not read; see `languages`.", err=True)
