"""`unlearned audit`: the history of what a server enforced."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.command import Command

audit = typer.Typer(no_args_is_help=True, help="The history of what a server enforced.")


@audit.callback()
def group() -> None:
    """The history of what a server enforced."""


@audit.command(cls=Command)
def verify(
    file: Annotated[
        list[Path],
        typer.Argument(help="The audit; its older parts FILE.1, ... are read by themselves, or given first."),
    ],
    expect: Annotated[
        str | None, typer.Option(help="Hash of a line that must be there, as the log or an earlier check had it.")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="How many of the last lines are shown.")] = 10,
) -> None:
    """Check that no line was changed, removed or added, and show the last ones."""
    from unlearned.server.audit import tail
    from unlearned.server.audit import verify as check

    found = check(*file, expect=expect)
    for line in tail(found.lines, show):
        typer.echo(line)
    since = f" since {str(found.lines[0]['time'])[:19]}" if found.lines else ""
    typer.echo(
        f"{len(found.lines)} lines in {len(found.files)} files{since}: the chain holds. Head: {found.head.sha256}"
    )
