"""`unlearned bench`: what can still be got out of an unlearned model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import Artifacts, quiet
from unlearned.models import ModelOptions


@with_settings
def probes(
    options: ModelOptions,
    data: Annotated[
        str, typer.Option(help="File, folder or OWNER/NAME: question, answer, choices or wrong_answers, label, fact.")
    ],
    artifact: Artifacts = None,
    retained_adapter: Annotated[
        str | None, typer.Option(help="PEFT adapter that makes the retained model, to compare with.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of a folder or the hub; default: test, else train.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE: only rows that have it; give it again for more.")
    ] = None,
    limit: Annotated[int, typer.Option(min=2, help="Most questions, evenly spread.")] = 200,
    folds: Annotated[int, typer.Option(min=2, help="Of the probes' cross-validation.")] = 5,
    facts: Annotated[int, typer.Option(min=1, help="Facts told in a prompt of the relearning test.")] = 4,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer; a repeated question may be longer.")] = 64,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts per forward pass.")] = 8,
    raw: Annotated[bool, typer.Option("--raw", help="Do not put prompts into the chat template.")] = False,
    seed: Annotated[int, typer.Option(help="Of folds and of the other facts.")] = 0,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished models in it are kept.")
    ] = Path("runs/probes"),
    report: Annotated[bool, typer.Option(help="Write report and plot, too; they need the extra 'report'.")] = True,
) -> None:
    """Linear probes of logits and every layer, the repeat test, and relearning from facts in the prompt."""
    from unlearned.benchmarks.probes.ask import AskConfig
    from unlearned.benchmarks.probes.data import parse_where
    from unlearned.benchmarks.probes.linear import ProbeConfig
    from unlearned.benchmarks.probes.plot import layers_plot
    from unlearned.benchmarks.probes.run import ProbesConfig, run_probes
    from unlearned.cli.bench.shown import show
    from unlearned.cli.progress import progress
    from unlearned.extras import require
    from unlearned.files import write_text

    if report:
        for module in ("jinja2", "matplotlib"):
            require(module, extra="report", purpose="The report")  # now, and not after hours
    config = ProbesConfig(
        data=data,
        artifacts=tuple(artifact or ()),
        model=options,
        retained_adapter=retained_adapter,
        split=split,
        where=parse_where(where),
        limit=limit,
        ask=AskConfig(
            probe=ProbeConfig(folds=folds, seed=seed),
            chat=False if raw else None,
            facts=facts,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
        ),
    )
    with progress() as shown, quiet():
        outcome = run_probes(config, out, on_progress=shown)
    if report:
        write_text(out / "layers.svg", layers_plot(outcome))
    show(out, report=report)
    if report:
        typer.echo(f"Written: {out / 'layers.svg'}")
