"""`unlearned bench`: what can still be got out of an unlearned model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.benchmarks.probes.config import AskConfig, ProbeConfig, ProbesConfig
from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import ScopeArtifacts, quiet
from unlearned.models import ModelOptions


@with_settings
def probes(
    config: Chosen[ProbesConfig],
    probe: Chosen[ProbeConfig],
    ask: Chosen[AskConfig],
    options: ModelOptions,
    artifact: ScopeArtifacts = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE: only rows that have it; give it again for more.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Do not put prompts into the chat template.")] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished models in it are kept.")
    ] = Path("runs/probes"),
    report: Annotated[bool, typer.Option(help="Write report and plot, too; they need the extra 'report'.")] = True,
) -> None:
    """Linear probes of logits and every layer, the repeat test, and relearning from facts in the prompt."""
    from unlearned.benchmarks.probes.data import parse_where
    from unlearned.benchmarks.probes.plot import layers_plot
    from unlearned.benchmarks.probes.run import run_probes
    from unlearned.cli.bench.shown import show
    from unlearned.cli.progress import progress
    from unlearned.extras import require
    from unlearned.files import write_text

    if report:
        for module in ("jinja2", "matplotlib"):
            require(module, extra="report", purpose="The report")  # now, and not after hours
    asking = ask.make(probe=probe.make(), chat=False if raw else None)
    chosen = config.make(artifacts=tuple(artifact or ()), model=options, where=parse_where(where), ask=asking)
    with progress() as shown, quiet():
        outcome = run_probes(chosen, out, on_progress=shown)
    if report:
        write_text(out / "layers.svg", layers_plot(outcome))
    show(out, report=report)
    if report:
        typer.echo(f"Written: {out / 'layers.svg'}")
