"""`unlearned score`: the numbers of a benchmark from logs, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearned.benchmarks.tofu.config import ScoreConfig
from unlearned.cli.command import Command
from unlearned.cli.configs import Chosen, with_settings

if TYPE_CHECKING:
    from unlearned.benchmarks.tofu.scores import TofuScores
    from unlearned.metrics.estimate import Estimate

score = typer.Typer(help="Compute a benchmark's numbers from logs.", no_args_is_help=True)


@score.callback()
def group() -> None:
    """Compute a benchmark's numbers from logs."""


@score.command(cls=Command)
@with_settings
def tofu(
    config: Chosen[ScoreConfig],
    log: Annotated[Path, typer.Option(help="Aggregated TOFU log of the model to judge.")],
    retain_log: Annotated[
        Path | None, typer.Option(help="Log of the model trained without the forget set; gives the forget quality.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Model utility, forget quality and agreement with the retained model, from TOFU logs in their published form."""
    from unlearned.benchmarks.tofu.log import read_log
    from unlearned.benchmarks.tofu.scores import score_log

    chosen = config.make()
    found = score_log(read_log(log), None if retain_log is None else read_log(retain_log), chosen)
    if json:
        import json as json_module

        typer.echo(json_module.dumps(found.as_json(), indent=2, allow_nan=False))
        return
    _show(found)


def _show(found: TofuScores) -> None:
    from unlearned.cli.console import bold
    from unlearned.cli.console import console as make_console
    from unlearned.cli.table import Table

    console = make_console()
    sets = Table("set", "questions", "probability", "ROUGE-L recall", "truth ratio", box=None, pad_edge=False)
    for name in ("retain", "real_authors", "world_facts", "forget"):
        cells = [found.components[f"{name}_{measure}"] for measure in ("prob", "rouge", "truth_ratio")]
        sets.add_row(name.replace("_", " "), str(cells[0].count), *map(_cell, cells))
    console.print(sets)
    rows = Table(box=None, pad_edge=False, show_header=False)
    rows.add_row(bold("model utility"), _cell(found.model_utility))
    if found.forget_quality is None:
        rows.add_row(bold("forget quality"), "needs the retained model's log: --retain-log")
    else:
        quality = found.forget_quality
        counts = f"{quality.counts[0]} and {quality.counts[1]} questions"
        rows.add_row(
            bold("forget quality"),
            ("" if found.forget_quality_warning is None else f"MEANS NOTHING, {found.forget_quality_warning}: ")
            + f"p = {quality.p_value:.4g}, log10 p = {quality.log10:.2f} (D = {quality.statistic:.4f}, {counts})",
        )
        if found.agreement is None:
            rows.add_row(bold("agreement"), f"left out: {found.agreement_missing}")
        else:
            agrees = found.agreement
            spearman = agrees.spearman
            rows.add_row(bold("rank correlation"), "not defined" if spearman is None else _interval(spearman))
            rows.add_row(bold("mean |log ratio|"), f"{_cell(agrees.distance)} nats")
            rows.add_row(
                bold("mean log ratio"),
                f"{_cell(agrees.shift)} nats (Wilcoxon p = {agrees.signed_rank.p_value:.4g})",
            )
    console.print()
    console.print(rows)


def _cell(estimate: Estimate) -> str:
    error = estimate.standard_error
    return f"{estimate.value:.4f}" + ("" if error is None else f" ± {error:.4f}")


def _interval(estimate: Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.interval[0]:.3f} to {estimate.interval[1]:.3f})"
