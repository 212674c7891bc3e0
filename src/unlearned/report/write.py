"""Write a run's report: a page, and its main tables as Markdown and LaTeX beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unlearned.errors import DataError
from unlearned.files import write_text
from unlearned.report.formats import as_latex, as_markdown
from unlearned.report.page import page
from unlearned.report.read import read_answers, read_run
from unlearned.report.run import ReportedRun
from unlearned.report.table import ReportTable
from unlearned.report.tables import RULE, detectors, flag_table, main_table, set_table

LEGEND = "Intervals: 95 %, over questions (q) or seeds (s); an exclamation mark: over-forgets."
"""Legend of the LaTeX tables."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was written."""

    html: Path
    markdown: Path
    latex: Path
    main: ReportTable
    """The main table, to be shown."""


def write_report(run_folder: Path, compare: Sequence[Path] = (), *, out: Path | None = None) -> Report:
    """Write the report of a finished run of `unlearned bench tofu`.

    Args:
        run_folder: with `results.json`, `steps/` and, for thresholds and traces, `artifacts/`.
        compare: folders of further runs; only their `results.json` is read.
        out: HTML file; the tables then have its name with `.md` and `.tex`. None: `report.html`, `table.md` and
            `table.tex` in the run's folder.

    Raises:
        DataError: a run is not there, not finished or of another format; or the files' folder is not there.
        ArtifactError: an artifact in the run's folder was altered.
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    run, *others = _named([read_run(folder) for folder in (run_folder, *compare)])
    html, markdown, latex = places(run_folder, out)
    runs = (run, *others)
    tables = [main_table(runs), set_table(runs), *([flag_table(run)] if detectors(run) else [])]
    text = page(run, read_answers(run), others)
    write_text(html, text)
    write_text(markdown, "\n".join([*map(as_markdown, tables), f"{RULE}\n"]))
    head = f"% {run.name!r}; needs \\usepackage{{booktabs}}.\n% {LEGEND}"
    write_text(latex, "\n".join([head, *map(as_latex, tables)]))
    return Report(html, markdown, latex, tables[0])


def places(folder: Path, out: Path | None) -> tuple[Path, Path, Path]:
    """Where page and tables of a run go: beside `out`, or into the run's folder; raises `DataError` if they cannot."""
    html = out or folder / "report.html"
    if html.is_dir() or not html.parent.is_dir():
        raise DataError(f"Cannot write {html}: give a file name in a folder that is there.")
    markdown, latex = (folder / f"table{end}" if out is None else out.with_suffix(end) for end in (".md", ".tex"))
    if html in (markdown, latex):
        raise DataError(f"{html} is the name of a table. Give a name that ends in .html.")
    return html, markdown, latex


def _named(runs: list[ReportedRun]) -> list[ReportedRun]:
    """Runs whose folders have the same name are told apart by the whole path."""
    names = [run.name for run in runs]
    return [replace(run, name=str(run.folder)) if names.count(run.name) > 1 else run for run in runs]
