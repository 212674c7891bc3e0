"""`unlearned bench harmful`: answers that a model should no longer give."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from unlearned.benchmarks.harmful.config import HarmfulRunConfig, HarmfulSplit
from unlearned.cli.bench.options import Out, Report, Shard, run_and_show
from unlearned.cli.configs import Chosen, with_settings
from unlearned.models import ModelOptions


@with_settings
def harmful(
    config: Chosen[HarmfulRunConfig],
    split: Chosen[HarmfulSplit],
    options: ModelOptions,
    shard: Shard = None,
    out: Out = Path("runs/harmful"),
    report: Report = True,
) -> None:
    """Harmful answers (LLMU's and SKU's set-up): how many are still given to prompts that nobody trained with."""
    from unlearned.benchmarks.harmful.run import run_harmful

    chosen = config.make(model=options, split=split.make())
    run_and_show(partial(run_harmful, chosen, out), out, shard=shard, report=report)
