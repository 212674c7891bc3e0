"""The report of a benchmark whose results have the common form: a page, and its tables as Markdown and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from unlearned.benchmarks.results import ModelResults, Results, read_results
from unlearned.benchmarks.spec import Measure, Spec, Values, specs
from unlearned.files import write_text
from unlearned.metrics.estimate import Estimate, mean
from unlearned.report.compared import REFERENCES, VERDICT_RULE, ComparedModel, measure_plots, tested, verdict
from unlearned.report.formats import as_latex, as_markdown, limits_as_markdown
from unlearned.report.render import rendered
from unlearned.report.table import SIGNS, Cell, Column, ReportTable, Section, TableRow
from unlearned.report.write import Report, places

RULE = (
    "Bold: the best unlearner of a column, start, retained and none left out; ↑ higher and ↓ lower is better, ≈R "
    "closest to the retained model is. Below or in brackets: 95 % intervals over items (i) or over seeds (s)."
)


def write_outcome_report(folder: Path, *, out: Path | None = None) -> Report:
    """Write the report of a finished run.

    Args:
        folder: of the run, with `results.json` and `items/`.
        out: HTML file; the tables then have its name with `.md` and `.tex`. None: `report.html`, `table.md` and
            `table.tex` in the run's folder.

    Raises:
        DataError: the run is not there, or not finished.
        MissingExtraError: jinja2 is not installed.
    """
    outcome = read_results(folder)
    kind = specs.get(outcome.kind)
    html, markdown, latex = places(folder, out)
    found, told = tables(outcome), tested(outcome)
    lines = _lines(outcome, kind)
    sets = _sets(lines, kind)
    came_out = verdict(lines, kind, sets)
    page = rendered(
        "outcome.html",
        title=kind.title,
        outcome=outcome,
        tested=told,
        verdict=came_out,
        verdict_rule=VERDICT_RULE,
        plots=measure_plots(lines, kind, sets, sign=lambda measure: SIGNS[measure.better]),
        tables=found,
        measures=kind.measures,
        limits=kind.limits,
        rule=RULE,
        seconds=[(model.name, dict(model.seconds)) for model in outcome.models if model.seconds],
    )
    write_text(html, page)
    said = "".join(f"{sentence}\n\n" for sentence in (*told, f"**{came_out}** {VERDICT_RULE}"))
    ends = (f"{RULE}\n", limits_as_markdown(kind.limits))
    write_text(markdown, "\n".join([f"# {kind.title}\n\n{said}", *map(as_markdown, found), *ends]))
    head = "% Needs \\usepackage{booktabs}. Intervals: 95 %, over items (i) or seeds (s)."
    write_text(latex, "\n".join([head, *map(as_latex, found)]))
    return Report(html, markdown, latex, found[0])


def has_common_form(folder: Path) -> bool:
    """Whether these are the results of such a benchmark; False also where they cannot be read."""
    try:
        data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("benchmark") in specs.names()


def tables(outcome: Results) -> list[ReportTable]:
    """The main table, a row for each model; and one with a row for every further set, if there are any."""
    kind = specs.get(outcome.kind)
    lines = _lines(outcome, kind)
    sets = list(dict.fromkeys(name for line in lines for name, _ in line.values))
    found = [_main(kind, lines, _sets(lines, kind))]
    if others := [name for name in sets if name not in kind.main]:
        found += [_by_set(kind, name, lines, others) for name in kind.measures if _has(lines, others, name)]
    return found


def _sets(lines: Sequence[ComparedModel], kind: Spec) -> list[str]:
    """The main sets that were run."""
    run = {name for line in lines for name, _ in line.values}
    return [name for name in kind.main if name in run]


def _main(kind: Spec, lines: Sequence[ComparedModel], sets: Sequence[str]) -> ReportTable:
    columns = [
        (name, key, Column(measure.title, key, measure.better, name if len(sets) > 1 else ""))
        for name in sets
        for key, measure in kind.measures.items()
        if _has(lines, [name], key)
    ]
    best = {(name, key): _best(lines, (name, key), kind.measures[key]) for name, key, _ in columns}
    rows = [
        TableRow(
            line.label,
            tuple(_cell(line.values.get((name, key)), line.label in best[name, key]) for name, key, _ in columns),
            f"{line.seeds} seeds" if line.seeds > 1 else "",
        )
        for line in lines
    ]
    return ReportTable(
        "main", kind.title, "model", tuple(column for *_, column in columns), (Section("", tuple(rows)),)
    )


def _by_set(kind: Spec, key: str, lines: Sequence[ComparedModel], sets: Sequence[str]) -> ReportTable:
    """One measure of the further sets, a column for each model."""
    measure = kind.measures[key]
    rows = [TableRow(name, tuple(_cell(line.values.get((name, key)), False) for line in lines)) for name in sets]
    columns = tuple(Column(line.label) for line in lines)
    return ReportTable(f"sets-{key}", f"{measure.title} by set", "set", columns, (Section("", tuple(rows)),))


def _lines(outcome: Results, kind: Spec) -> list[ComparedModel]:
    labels = dict.fromkeys(model.unlearner or model.name for model in outcome.models)
    return [_line(label, [m for m in outcome.models if (m.unlearner or m.name) == label], kind) for label in labels]


def _line(label: str, models: Sequence[ModelResults], kind: Spec) -> ComparedModel:
    every: list[Values] = [kind.aggregate(model.items) for model in models]
    values = {}
    for name, own in every[0].items():
        for key, one in own.items():
            found = [values_of[name][key] for values_of in every if key in values_of.get(name, {})]
            if len(found) < len(every):
                continue
            if len({estimate.value for estimate in found}) > 1:
                values[name, key] = mean([estimate.value for estimate in found], key), "s"
            else:
                values[name, key] = one, "" if one.interval is None else "i"
    return ComparedModel(label, len(models), values)


def _has(lines: Sequence[ComparedModel], sets: Sequence[str], key: str) -> bool:
    return any((name, key) in line.values for line in lines for name in sets)


def _best(lines: Sequence[ComparedModel], place: tuple[str, str], measure: Measure) -> set[str]:
    """Labels of all that look like the best one in the table; none where there is no choice."""
    if measure.better is None:
        return set()
    retained = [line for line in lines if line.label == "retained" and place in line.values]
    aim = retained[0].values[place][0].value if retained else None
    distances = {}
    for line in lines:
        if line.label in REFERENCES or place not in line.values or (measure.better == "retained" and aim is None):
            continue
        value = line.values[place][0].value
        distance = abs(value - (aim or 0.0)) if measure.better == "retained" else value
        distances[line.label] = round(-distance if measure.better == "high" else distance, 3)
    least = min(distances.values(), default=0.0)
    return {label for label, distance in distances.items() if distance == least} if len(distances) > 1 else set()


def _cell(found: tuple[Estimate, str] | None, best: bool) -> Cell:
    if found is None:
        return Cell("–")
    estimate, over = found
    detail = ""
    if estimate.interval is not None:
        low, high = estimate.interval
        detail = f"{_number(low)} to {_number(high)} {over}".rstrip()
    return Cell(_number(estimate.value), estimate.value, detail, best)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"
