"""The report of `unlearned bench classifier`: what was measured on what, and whether its targets are met."""

from __future__ import annotations

from pathlib import Path

from unlearned.benchmarks.classifier.results import EXAMPLES, LIMITS, DetectionResults, RowResult, read_found
from unlearned.errors import DataError, MissingExtraError
from unlearned.files import write_text
from unlearned.report.detection_plot import curves_plot
from unlearned.report.formats import limits_as_markdown

REPORT, CURVES = "results.md", "curves.svg"


def write_detection_report(folder: Path) -> DetectionResults:
    """Write `results.md` and, where matplotlib is at hand, `curves.svg` beside a run's `results.json`.

    Returns:
        What was found.

    Raises:
        DataError: there is no run of this benchmark.
    """
    found = read_found(folder)
    write_text(folder / REPORT, as_report(found))
    if found.row.curves:
        try:
            write_text(folder / CURVES, curves_plot(found.row.curves))
        except MissingExtraError:
            (folder / CURVES).unlink(missing_ok=True)  # the points are in results.json
    return found


def is_detection(folder: Path) -> bool:
    """Whether these are results of `unlearned bench classifier`."""
    try:
        read_found(folder)
    except DataError:
        return False
    return True


def as_report(found: DetectionResults) -> str:
    """Everything in Markdown: what was measured on what, the verdict, the tables, the plot, and the limits."""
    row, settings = found.row, found.settings
    kinds = dict.fromkeys([*(m.classifier for m in row.measures), *(r.classifier for r in row.ratios)])
    cut = f"; every set was cut to {settings['limit']} rows" if settings["limit"] else ""
    head = (
        f"Detection by {', '.join(kinds) or 'no classifier'} on the text encoder {settings['encoder']}, seed "
        f"{settings['seed']}. Data: SHA-256 {str(settings['data'])[:16]}{cut}. Made on {found.at}; "
        f"{', '.join(f'{name} {version}' for name, version in found.versions.items())}."
    )
    plot = [f"![Recall against false alarms]({CURVES})\n"] if row.curves else []
    parts = ["# Detection\n", f"{head}\n", f"**{verdict(row)}**\n", as_markdown(row), *plot]
    return "\n".join([*parts, limits_as_markdown(LIMITS)])


def verdict(row: RowResult) -> str:
    """What came out, in one sentence."""
    judged = [(m.met, f"{m.row}: {m.name}") for m in row.measures if m.met is not None]
    judged += [(r.met, f"latency of {r.name}") for r in row.ratios]
    missed = [name for met, name in judged if not met]
    if not judged:
        return "Nothing that has a target was measured."
    if not missed:
        return f"All {len(judged)} targets are met."
    more = f" and {len(missed) - EXAMPLES} more" if len(missed) > EXAMPLES else ""
    return f"{len(judged) - len(missed)} of {len(judged)} targets are met; not: {'; '.join(missed[:EXAMPLES])}{more}."


def as_markdown(row: RowResult) -> str:
    """Two tables: what went wrong how often, and what it costs."""
    lines = [
        "| row | measure | classifier | errors | rate | 95 % interval | target | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in row.measures:
        low, high = m.interval
        lines.append(
            f"| {m.row} | {m.name} | {m.classifier} | {m.errors}/{m.count} | {100 * m.rate:.2f} % "
            f"| {100 * low:.2f} to {100 * high:.2f} % | {m.target} | {yes_or_no(m.met)} |"
        )
    if row.ratios:
        lines += [
            "",
            "| latency | classifier | ratio (quartiles) | decision | baseline | target | met |",
            "|---|---|---|---|---|---|---|",
        ]
        for r in row.ratios:
            lines.append(
                f"| {r.name} | {r.classifier} | {r.ratio:.2f} ({r.quartiles[0]:.2f} to {r.quartiles[1]:.2f}) "
                f"| {r.milliseconds:.3g} ms | {r.baseline_milliseconds:.3g} ms ({r.baseline}) "
                f"| at most {r.target:g} | {yes_or_no(r.met)} |"
            )
    return "\n".join(lines) + "\n"


def yes_or_no(met: bool | None) -> str:
    """A cell of a table."""
    return "" if met is None else "yes" if met else "**no**"
