"""The tables of a TOFU report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unlearned.metrics.estimate import exact_interval
from unlearned.report.lines import Line, Measured, lines
from unlearned.report.run import FITTED_ON, SETS, ReportedRun
from unlearned.report.table import Cell, Column, ReportTable, Section, TableRow

MUCH = 0.1
"""Share of over-forgotten questions from which on an unlearner is flagged."""

OVER_FORGETS = "over-forgets"


MAIN = (
    Column("model utility", "model_utility", "high"),
    Column("forget quality p", "forget_quality", "high"),
    Column("Spearman", "agreement_spearman", "high"),
    Column("forget truth ratio", "forget_truth_ratio", "retained"),
    Column("forget ROUGE-L", "forget_rouge", "retained"),
    Column("facts said", "forget_facts", "retained"),
    Column("leak rate", "forget_leak_rate", "low"),
    Column("leak rate, reworded", "paraphrased_leak_rate", "low"),
    Column("over-forgotten", "over_forgotten", "low"),
    Column("no answer", "forget_degenerate", "low"),
    Column("pairs: retain ROUGE-L", "paired_retain_rouge", "high"),
)

_MEASURES = (("prob", "P"), ("rouge", "ROUGE-L"), ("truth_ratio", "truth ratio"))

BY_SET = tuple(
    Column(title, f"{name}_{measure}", "retained" if name == "forget" else "high", SETS[name])
    for name in ("forget", "retain", "real_authors", "world_facts")
    for measure, title in _MEASURES
)

RULE = (
    "Bold: the best unlearner of a column, start, retained and none left out; ↑ higher and ↓ lower is better, ≈R "
    "closest to the retained model is. Below or in brackets: 95 % intervals over questions (q) or over seeds (s)."
)


def main_table(runs: Sequence[ReportedRun]) -> ReportTable:
    """What papers report: utility, forget quality, agreement, leaks."""
    return _table("main", "Model utility and forgetting", MAIN, runs)


def set_table(runs: Sequence[ReportedRun]) -> ReportTable:
    """Probability, ROUGE-L recall and truth ratio of each set."""
    return _table("sets", "Probability (P), ROUGE-L recall and truth ratio by set", BY_SET, runs)


def flag_table(run: ReportedRun) -> ReportTable:
    """What the detector of each seed flagged, with exact binomial intervals."""
    seeds = detectors(run)
    columns = (*(Column(f"seed {seed}") for seed in seeds), Column("fitted on them"))
    rows = [
        TableRow(label, (*(_share(*seeds[seed][name]) for seed in seeds), Cell(_seen(name))))
        for name, label in SETS.items()
        if all(seeds[seed].get(name, (0, 0))[1] for seed in seeds)
    ]
    return ReportTable("flags", "Flagged by the detector", "set", columns, (Section("", tuple(rows)),))


def detectors(run: ReportedRun) -> dict[int, Mapping[str, tuple[int, int]]]:
    """Seed -> set -> (flagged, questions), of the detector that all unlearners of the seed share."""
    found: dict[int, Mapping[str, tuple[int, int]]] = {}
    for model in run.unlearned:
        if model.seed is not None and any(item.score > 0 for items in model.items.values() for item in items):
            found.setdefault(model.seed, model.flagged)
    return found


def time_table(run: ReportedRun) -> ReportTable:
    """Seconds of each step."""
    columns = (Column("fit, s"), Column("evaluation, s"))
    rows = [
        TableRow(model.name, tuple(_seconds(model.seconds.get(name)) for name in ("fit", "evaluation")))
        for model in run.models
    ]
    return ReportTable("time", "Time of each step", "step", columns, (Section("", tuple(rows)),))


def _table(name: str, caption: str, columns: Sequence[Column], runs: Sequence[ReportedRun]) -> ReportTable:
    every = [lines(run) for run in runs]
    kept = tuple(column for column in columns if any(line.measured(column.key) for own in every for line in own))
    sections = tuple(
        Section(run.name if len(runs) > 1 else "", _rows(own, kept)) for run, own in zip(runs, every, strict=True)
    )
    return ReportTable(name, caption, "model", kept, sections)


def _rows(own: Sequence[Line], columns: Sequence[Column]) -> tuple[TableRow, ...]:
    best = {column.key: _best(column, own) for column in columns}
    return tuple(
        TableRow(
            line.label,
            tuple(_cell(line, column, line.label in best[column.key]) for column in columns),
            f"{len(line.models)} seeds" if len(line.models) > 1 else "",
        )
        for line in own
    )


def _best(column: Column, own: Sequence[Line]) -> set[str]:
    """Labels of the best lines: all that look the same as the best one in the table; none where there is no choice."""
    aim = next((line.measured(column.key) for line in own if line.label == "retained"), None)
    distances = {}
    for line in own:
        found = line.measured(column.key)
        if not line.competes or found is None or (column.better == "retained" and aim is None):
            continue
        target = aim.value if column.better == "retained" and aim is not None else 0.0
        distance = abs(found.value - target) if column.better == "retained" else found.value
        distances[line.label] = float(number(column.key, -distance if column.better == "high" else distance))
    least = min(distances.values(), default=0.0)
    return {label for label, distance in distances.items() if distance == least} if len(distances) > 1 else set()


def _cell(line: Line, column: Column, best: bool) -> Cell:
    found = line.measured(column.key)
    if found is None:
        return Cell("–")
    many = column.key == "over_forgotten" and line.competes and found.value >= MUCH
    return Cell(
        number(column.key, found.value),
        found.value,
        _interval(column.key, found),
        best,
        OVER_FORGETS if many else "",
    )


def number(key: str, value: float) -> str:
    """A measure as it is shown: three digits, p-values also where they are tiny."""
    if key == "forget_quality" and 0 < abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3f}"


def percent(value: float) -> str:
    """A share as it is shown."""
    return f"{100 * value:.1f} %"


def _interval(key: str, found: Measured) -> str:
    if found.interval is None:
        return ""
    low, high = found.interval
    return f"{number(key, low)} to {number(key, high)} {(found.over or '')[:1]}".rstrip()


def _share(flagged: int, count: int) -> Cell:
    low, high = exact_interval(flagged, count)
    return Cell(f"{flagged} of {count}", flagged / count, f"{percent(low)} to {percent(high)}")


def _seen(name: str) -> str:
    if name in FITTED_ON:
        return "yes"
    return {"paraphrased": "in other words", "paired": "one by one"}.get(name, "no")


def _seconds(value: float | None) -> Cell:
    return Cell("–") if value is None else Cell(f"{value:.1f}", value)
