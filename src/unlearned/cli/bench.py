"""`unlearned bench`: benchmarks, one subcommand each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import Artifacts, load, quiet, status, with_model_options
from unlearned.models import ModelOptions

bench = typer.Typer(help="Run a benchmark.", no_args_is_help=True)


@bench.callback()
def group() -> None:
    """Run a benchmark."""


@bench.command()
@with_model_options
def speed(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    repeats: Annotated[int, typer.Option(min=2, help="Pairs per ratio.")] = 5,
) -> None:
    """What enforcing an artifact costs: throughput, detection, fit time."""
    import json

    from rich.console import Console
    from rich.table import Table

    from unlearned.benchmarks.speed.run import measure_speed
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.files import write_text

    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        results = measure_speed(model, tokenizer, repeats=repeats, on_progress=report)
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    console = Console()
    table = Table(title=f"{results['model']} on {results['machine']}", title_justify="left")
    for column in ("measure", "ratio (quartiles)", "target", "ours", "baseline"):
        table.add_column(column)
    for row in results["ratios"]:
        table.add_row(
            row["name"],
            f"{row['median']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
            row["target"],
            f"{row['ours']:.3g} {row['unit']}",
            f"{row['theirs']:.3g} ({row['baseline']})",
        )
    console.print(table)
    for row in results["fit"]:
        phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in row["phases"].items())
        console.print(
            f"fit, {row['forget_prompts']} forget prompts: {row['seconds']:.1f} s ({phases}); "
            f"peak memory of the process {row['peak_memory_mb']:.0f} MB"
        )


@bench.command()
def classifier(
    data: Annotated[
        Path | None, typer.Option(help="Folder with tofu/, mmlu/ and sst2/; default: that of UNLEARNED_DATA.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished rows in it are kept.")
    ] = Path("runs/classifier"),
    classifiers: Annotated[
        str, typer.Option(help="Kinds, side by side: kernel,neighbours,logistic,encoder.")
    ] = "kernel",
    rows: Annotated[str | None, typer.Option(help="Only these rows, separated by commas.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder: hub id or folder.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Most prompts of every set, to try it out.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
) -> None:
    """How well prompts of a forget scope are found, and only they: TOFU, MMLU subsets, disguises, latency."""
    from rich.console import Console
    from rich.table import Table

    from unlearned.benchmarks.classifier.results import yes_or_no
    from unlearned.benchmarks.classifier.run import BenchmarkConfig, measure_classifiers
    from unlearned.benchmarks.classifier.sets import Data, data_folder
    from unlearned.cli.progress import progress
    from unlearned.embedded import MINILM

    config = BenchmarkConfig(
        classifiers=_names(classifiers),
        rows=None if rows is None else _names(rows),
        encoder=encoder or MINILM,
        limit=limit,
        seed=seed,
    )
    folder = Data(data_folder(data))
    with progress() as report, quiet():
        found = measure_classifiers(folder, out, config, on_progress=report)
    console = Console()
    console = console if console.is_terminal else Console(width=150)  # a log has room for whole lines
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "classifier", "errors", "rate (95 % interval)", "target", "met"):
        table.add_column(column)
    for measure in (measure for row in found for measure in row.measures):
        low, high = measure.interval
        table.add_row(
            measure.name,
            measure.classifier,
            f"{measure.errors}/{measure.count}",
            f"{100 * measure.rate:.2f} % ({100 * low:.2f} to {100 * high:.2f})",
            measure.target,
            yes_or_no(measure.met).strip("*"),
        )
    for ratio in (ratio for row in found for ratio in row.ratios):
        low, high = ratio.quartiles
        table.add_row(
            f"latency, {ratio.name}",
            ratio.classifier,
            f"{ratio.milliseconds:.3g} ms",
            f"{ratio.ratio:.2f} x (quartiles {low:.2f} to {high:.2f})",
            f"at most {ratio.target:g} x",
            yes_or_no(ratio.met).strip("*"),
        )
    console.print(table)
    console.print(f"Written to {out}: results.md, results.json")


@bench.command()
def index(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Made-up vectors.")] = 1_000_000,
) -> None:
    """Search among very many examples: build time, milliseconds per query, recall; time to enrol 400 prompts."""
    import json
    from dataclasses import asdict

    from unlearned.benchmarks.index.run import measure_enrolment, measure_index
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.files import write_text

    check_writable(out)
    with progress() as report, quiet():
        found, enrolment = measure_index(count, on_progress=report), measure_enrolment()
    if out is not None:
        write_text(out, json.dumps({"index": asdict(found), "enrolment": asdict(enrolment)}, indent=2) + "\n")
    typer.echo(
        f"{found.count} x {found.width}: built in {found.build_seconds:.0f} s; "
        f"vectors {found.vectors_mb:.0f} MB, index {found.index_mb:.0f} MB"
    )
    for search in found.searches:
        typer.echo(
            f"{search.side}: median {search.median_ms:.1f} ms, p95 {search.p95_ms:.1f} ms, "
            f"recall@1 {search.recall:.3f} above the floor ({search.recall_all:.3f} of all)"
        )
    typer.echo(f"enrolling {enrolment.prompts} prompts: {enrolment.seconds:.1f} s")


@bench.command()
@with_model_options
def strength(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    parts: Annotated[str, typer.Option(help="Of cost, transfer, leaks, search.")] = "cost,transfer,leaks,search",
    points: Annotated[int, typer.Option(min=3, help="Of the grid that optimisers are measured against.")] = 200,
    examples: Annotated[int, typer.Option(min=2, help="Forget prompts per scope in the search part.")] = 8,
    start: Annotated[str | None, typer.Option(help="Adapter that saw TOFU's forget01, to judge surrogates by.")] = None,
    retained: Annotated[str | None, typer.Option(help="Adapter that saw all that --start saw but forget01.")] = None,
    tofu: Annotated[Path, typer.Option(help="Folder of TOFU's splits, with --start and --retained.")] = Path("tofu"),
) -> None:
    """How a strength is learned: wall time, evaluations against a grid, transfer to other scopes, leaks."""
    import json
    from dataclasses import asdict

    from unlearned.benchmarks.strength.run import PARTS, measure_strength
    from unlearned.benchmarks.strength.surrogates import measure_surrogates
    from unlearned.benchmarks.strength.tables import as_markdown
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    if unknown := [name for name in _names(parts) if name not in PARTS]:
        raise ConfigError(f"There is no part {unknown[0]!r}. The parts are: {', '.join(PARTS)}.")
    if (start is None) != (retained is None):
        raise ConfigError("Give both --start and --retained, or neither.")
    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        results = measure_strength(
            model, tokenizer, parts=_names(parts), points=points, examples=examples, on_progress=report
        )
        if start is not None and retained is not None:
            found = measure_surrogates(options, start, retained, tofu, report)
            results["surrogates"] = [asdict(row) for row in found]
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    typer.echo(as_markdown(results))


@bench.command(name="corruptions")
@with_model_options
def corruption_table(
    options: ModelOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Markdown file of the table.")] = None,
    scope: Annotated[str, typer.Option(help="Concept of the demo: harry-potter or star-wars.")] = "harry-potter",
    functions: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
) -> None:
    """What every corruption function does to forget answers, to fluency, and to the words it hides."""
    from unlearned.artifact.fingerprint import base_model_record
    from unlearned.benchmarks.corruptions.run import as_markdown, measure_corruptions
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.corrupt.functions import corruptions
    from unlearned.demo.concepts import CONCEPTS
    from unlearned.engines.transformers import TransformersEngine
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    if scope not in CONCEPTS:
        raise ConfigError(f"There is no concept {scope!r}. The concepts are: {', '.join(CONCEPTS)}.")
    names = _names(functions) if functions else None
    for name in names or ():
        corruptions.get(name)
    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        record = base_model_record(TransformersEngine(model, tokenizer))
        rows = measure_corruptions(model, tokenizer, record, concept=scope, functions=names, on_progress=report)
    if out is not None:
        write_text(out, as_markdown(rows))
    typer.echo(as_markdown(rows))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@bench.command()
@with_model_options
def tofu(
    options: ModelOptions,
    data: Annotated[str, typer.Option(help="Folder with tofu/*.jsonl, or locuslab/TOFU.")] = "locuslab/TOFU",
    split: Annotated[str, typer.Option(help="forget01, forget05 or forget10.")] = "forget01",
    authors: Annotated[
        int | None, typer.Option(min=2, help="Only the last so many authors exist; 20 fit a small machine.")
    ] = None,
    forget_authors: Annotated[
        int | None, typer.Option(min=1, help="Forget the last so many, instead of the split's number.")
    ] = None,
    unlearners: Annotated[
        str, typer.Option(help="Side by side: none, eco, eco-rn, eco-zo, eco-auto, eco-hand, prompting, refusal.")
    ] = "none,eco-rn,eco-zo,prompting",
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each unlearner.")] = 1,
    adapters: Annotated[
        str | None, typer.Option(help="START,RETAINED: folders of PEFT adapters, instead of training.")
    ] = None,
    ds_size: Annotated[int, typer.Option(min=1, help="Rows of each set that are asked, the first ones.")] = 300,
    limit: Annotated[int | None, typer.Option(min=2, help="Most rows of every set, to try it out.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; finished steps in it are kept.")
    ] = Path("runs/tofu"),
    report: Annotated[bool, typer.Option(help="Write the report, too; it needs the extra 'report'.")] = True,
) -> None:
    """TOFU from fine-tuning to the comparison: start, retained and unlearned models on four sets and more."""
    from typing import cast

    from rich.console import Console

    from unlearned.benchmarks.tofu.data import Split, TofuSplit
    from unlearned.benchmarks.tofu.questions import EvaluationConfig
    from unlearned.benchmarks.tofu.run import TofuRunConfig, run_tofu
    from unlearned.cli.progress import progress
    from unlearned.errors import ConfigError
    from unlearned.extras import require
    from unlearned.report.formats import as_rich
    from unlearned.report.read import read_run
    from unlearned.report.tables import RULE, main_table
    from unlearned.report.write import write_report

    folders = None if adapters is None else _names(adapters)
    if folders is not None and len(folders) != 2:
        raise ConfigError("--adapters takes two folders: START,RETAINED.")
    config = TofuRunConfig(
        data=data,
        model=options,
        split=TofuSplit(split=cast(Split, split), authors=authors, forget_authors=forget_authors, limit=limit),
        unlearners=_names(unlearners),
        seeds=seeds,
        adapters=None if folders is None else (folders[0], folders[1]),
        evaluation=EvaluationConfig(ds_size=ds_size),
    )
    if report:
        for module in ("jinja2", "matplotlib"):  # now, and not after an hour
            require(module, extra="report", purpose="The report")
    with progress() as shown, quiet():
        results = run_tofu(config, out, on_progress=shown, tell=lambda line: typer.echo(line, err=True))
    console = Console()
    console = console if console.is_terminal else Console(width=200)  # a log has room for whole lines
    console.print(as_rich(main_table([read_run(out)])))
    console.print(RULE, style="dim")
    if (speed := results["speed"]) is not None:
        console.print(
            f"Scoring: {speed['ratio']:.1f} x as fast as one answer at a time, "
            f"largest difference {speed['largest_difference']:.1e} ({speed['answers']} answers, float32)"
        )
    console.print(f"Written to {out}: results.json, logs, artifacts; {results['seconds']['all']:.0f} s")
    if report:
        with status("Writing the report"):
            written = write_report(out)
        for file in (written.html, written.markdown, written.latex):
            typer.echo(f"Written: {file}")


@bench.command()
def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a run of `bench tofu`.")],
    sample: Annotated[int, typer.Option(min=1, help="Items that are computed anew.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    tolerance: Annotated[float, typer.Option(min=0, help="Largest difference of a loss or a score.")] = 0.02,
) -> None:
    """Whether the numbers of a run hold: a sample is computed anew; exit status 1 if one does not."""
    from unlearned.benchmarks.tofu.verify import verify as compute_again
    from unlearned.cli.progress import progress

    with progress() as report, quiet():
        checks = compute_again(run, sample=sample, seed=seed, tolerance=tolerance, on_progress=report)
    for check in checks:
        typer.echo(
            f"{'holds' if check.holds else 'DIFFERS'}: {check.model}, {check.set}, {check.id}: "
            f"largest difference {check.largest_difference:.2e}"
        )
    failed = sum(not check.holds for check in checks)
    typer.echo(f"{len(checks) - failed} of {len(checks)} items hold.")
    if failed:
        raise typer.Exit(1)


@bench.command(name="serve")
@with_model_options
def serving(
    options: ModelOptions,
    artifact: Artifacts = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file of the results.")] = None,
    clients: Annotated[str, typer.Option(help="How many ask at once, separated by commas.")] = "1,8,32",
    new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Requests of each client in one turn.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs per measure.")] = 3,
) -> None:
    """What serving costs: throughput by clients, time to a first token, against model.generate in the same run."""
    import json

    from rich.console import Console
    from rich.table import Table

    from unlearned.benchmarks.serving.run import measure_serving
    from unlearned.cli.output import check_writable
    from unlearned.cli.progress import progress
    from unlearned.errors import ConfigError
    from unlearned.files import write_text

    if not all(name.isdecimal() and int(name) > 0 for name in _names(clients)):
        raise ConfigError(f"--clients {clients}: give numbers separated by commas, for example 1,8,32.")
    check_writable(out)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        results = measure_serving(
            model,
            tokenizer,
            artifacts=artifact or (),
            clients=[int(name) for name in _names(clients)],
            new_tokens=new_tokens,
            rounds=rounds,
            repeats=repeats,
            on_progress=report,
        )
    if out is not None:
        write_text(out, json.dumps(results, indent=2) + "\n")
    table = Table(title=f"{results['model']}, {results['dtype']}, on {results['machine']}", title_justify="left")
    for column in ("measure", "server", "plain", "ratio (smallest to largest)"):
        table.add_column(column)
    for row in results["rows"]:
        table.add_row(
            row["name"],
            f"{row['server']:.4g} {row['unit']}",
            f"{row['plain']:.4g} {row['unit']}",
            f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
        )
    Console().print(table)
