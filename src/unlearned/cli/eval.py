"""`unlearned eval`: general utility by lm-evaluation-harness, with the unlearner active."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import ScopeArtifacts, quiet
from unlearned.harness.config import EvalConfig
from unlearned.models import ModelOptions


@with_settings
def evaluate(
    config: Chosen[EvalConfig],
    options: ModelOptions,
    artifact: ScopeArtifacts = None,
    shard: Annotated[str | None, typer.Option(help="i/n: only the i-th of n parts; see `bench merge`.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished tasks in it are kept.")
    ] = Path("runs/eval"),
    report: Annotated[bool, typer.Option(help="Write the report, too; it needs the extra 'report'.")] = True,
) -> None:
    """Score tasks of lm-evaluation-harness with the artifacts enforced; unflagged questions score as without."""
    from unlearned.artifact.record import folder_of, read_record
    from unlearned.benchmarks.results import shard_of
    from unlearned.cli.bench.shown import show
    from unlearned.extras import require
    from unlearned.harness.run import run_eval

    if report:
        require("jinja2", extra="report", purpose="The report")  # now, and not after hours
    for folder in artifact or ():
        read_record(folder_of(folder))  # the harness scores by its own tokens, so nothing may stand in front of them
    chosen = config.make(model=options, artifacts=tuple(artifact or ()), shard=shard_of(shard))
    with quiet():
        run_eval(chosen, out, tell=lambda line: typer.echo(line, err=True))
    show(out, report=report)
