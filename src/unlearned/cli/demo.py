"""`unlearned demo`: the whole way on a real model, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import load, quiet
from unlearned.models import ModelOptions

if TYPE_CHECKING:
    from unlearned.demo.run import DemoResult

SHOWN = 4


@with_settings
def demo(
    options: ModelOptions,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the artifacts and the report.")] = Path("demo"),
    corruption: Annotated[str, typer.Option(help="A corruption function, or best; compares with noise.")] = "best",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 48,
) -> None:
    """Forget two things that the embedded model knows, and show before and after. Exit status 1 if it did not work."""
    from unlearned.cli.console import console as make_console
    from unlearned.cli.progress import progress
    from unlearned.demo.run import run_demo
    from unlearned.errors import FitError
    from unlearned.extras import require
    from unlearned.files import write_text

    require("matplotlib", extra="report", purpose="The report")
    require("jinja2", extra="report", purpose="The report")
    out.mkdir(parents=True, exist_ok=True)
    model, tokenizer = load(options)
    with progress() as report, quiet():
        result = run_demo(
            model, tokenizer, out, corruption=corruption, max_new_tokens=max_new_tokens, on_progress=report
        )
    from unlearned.demo.page import demo_page

    write_text(out / "report.html", demo_page(result))
    show(make_console(), result)
    print(f"Artifacts: {', '.join(map(str, result.folders))}\nReport:    {out / 'report.html'}")
    if failures := result.failures():
        raise FitError(f"The unlearned state was not reached: {'; '.join(failures)}.")


def show(console: Any, result: DemoResult) -> None:
    """Print the comparison."""
    from rich.text import Text

    from unlearned.cli.table import Table
    from unlearned.demo.page import detection_rows

    groups = [(f"Held-out questions about {c.name}", result.of("held-out forget", c.name)) for c in result.concepts]
    groups += [("Close questions", result.of("close retain")), ("Unrelated prompts", result.of("general"))]
    for title, rows in groups:
        table = Table(title=f"{title} ({min(SHOWN, len(rows))} of {len(rows)})", title_justify="left", expand=True)
        for column in ("prompt (in scope: reversed)", "original", "unlearned"):
            table.add_column(column, ratio=1)
        for row in rows[:SHOWN]:
            prompt = Text()
            for words, in_scope in row.marked():
                prompt.append(words, style="reverse" if in_scope else "")
            answer = Text("the same", style="dim") if row.identical else Text(row.unlearned.text)
            table.add_row(prompt, Text(row.original.text), answer)
        console.print(table)
    table = Table(title="What was detected", title_justify="left")
    for column in ("prompts", "flagged", "of"):
        table.add_column(column)
    for name, flagged, count in detection_rows(result):
        table.add_row(name, str(flagged), str(count))
    console.print(table)
    for concept in result.concepts:
        before, after, questions = result.leaks(concept.name)
        rates = f"{before} ({before / questions:.0%}) before, {after} ({after / questions:.0%}) after"
        console.print(f"Leaks, {concept.name}: of {questions} held-out questions {rates}")
        about, answers = result.on_topic(concept.name)
        console.print(f"On topic, {concept.name}: {about} of {answers} answers to flagged questions")
    unflagged = result.untouched()
    same = sum(row.identical for row in unflagged)
    console.print(f"Unflagged answers identical to the original model's: {same} of {len(unflagged)}")
    if held := result.held_back():
        console.print(f"Unflagged answers in which a name or a quote was held back: {held}")
    console.print("Seconds: " + ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in result.seconds.items()))
