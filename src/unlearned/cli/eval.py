"""`unlearned eval`: general utility by lm-evaluation-harness, with the unlearner active."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import Artifacts, BatchSize, names, quiet, with_model_options
from unlearned.models import ModelOptions


@with_model_options
def evaluate(
    options: ModelOptions,
    tasks: Annotated[
        str,
        typer.Option(
            "--tasks", "-t", help="Tasks of lm-evaluation-harness, separated by commas; 'general' for the ECO paper's."
        ),
    ],
    artifact: Artifacts = None,
    plain: Annotated[bool, typer.Option("--plain", help="The start model beside it, and what differs.")] = False,
    include_path: Annotated[Path | None, typer.Option(help="Folder with tasks of your own.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions of each task, the first ones.")] = None,
    batch_size: BatchSize = 16,
    num_fewshot: Annotated[int | None, typer.Option(min=0, help="Examples per context; default: the task's.")] = None,
    apply_chat_template: Annotated[
        bool, typer.Option("--apply-chat-template", help="Ask in the model's chat format.")
    ] = False,
    shard: Annotated[str | None, typer.Option(help="i/n: only the i-th of n parts; see `bench merge`.")] = None,
    verdicts: Annotated[
        Path | None, typer.Option(help="Folder of verdicts that runs share; default: verdicts/ in --out.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished tasks in it are kept.")
    ] = Path("runs/eval"),
    report: Annotated[bool, typer.Option(help="Write the report, too; it needs the extra 'report'.")] = True,
) -> None:
    """Score tasks of lm-evaluation-harness with the artifacts enforced; unflagged questions score as without."""
    from unlearned.benchmarks.results import shard_of
    from unlearned.cli.bench.shown import show
    from unlearned.extras import require
    from unlearned.harness.run import EvalConfig, run_eval

    if report:
        require("jinja2", extra="report", purpose="The report")  # now, and not after hours
    config = EvalConfig(
        tasks=names(tasks),
        model=options,
        artifacts=tuple(artifact or ()),
        plain=plain,
        include_path=include_path,
        limit=limit,
        batch_size=batch_size,
        num_fewshot=num_fewshot,
        apply_chat_template=apply_chat_template,
        shard=shard_of(shard),
        verdicts=verdicts,
    )
    with quiet():
        run_eval(config, out, tell=lambda line: typer.echo(line, err=True))
    show(out, report=report)
