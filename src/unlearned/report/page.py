"""A run as one HTML page without external requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unlearned.plots import Plot
from unlearned.report.answers import AnswerExample, Texts, examples, side_by_side
from unlearned.report.findings import findings, headline, tested
from unlearned.report.limits import limits
from unlearned.report.lines import Line, lines
from unlearned.report.render import rendered
from unlearned.report.run import ReportedRun
from unlearned.report.run_plots import (
    agreement_scatter,
    detector_plots,
    ratio_distributions,
    strength_plots,
    utility_against_quality,
)
from unlearned.report.tables import RULE, detectors, flag_table, main_table, number, set_table, time_table


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page has of one unlearner, besides its line in the tables."""

    label: str
    ratios: Plot
    scatter: Plot
    examples: tuple[AnswerExample, ...]
    seed: int | None
    """Whose answers these are."""

    seeds: int


def page(run: ReportedRun, texts: Texts, compare: Sequence[ReportedRun] = ()) -> str:
    """Render it.

    Args:
        run: what the page is about.
        texts: of `read_answers`.
        compare: further runs, in the tables and the first plot only.
    """
    runs = (run, *compare)
    scores, strengths = detector_plots(run, list(detectors(run))), strength_plots(run)
    found = findings(run)
    competing = [line for line in lines(run) if line.competes]
    marked = all(answer.corrupted is not None for own in texts.values() for rows in own.values() for answer in rows)
    return rendered(
        "page.html",
        run=run,
        compare=compare,
        tested=tested(run),
        headline=headline(found),
        findings=found,
        rule=RULE,
        tables=[main_table(runs), set_table(runs)],
        quality=utility_against_quality(runs),
        shown=[_shown(run, line, texts) for line in competing],
        beside=side_by_side(run, {line.label: line.models[0] for line in competing}, texts) if competing else [],
        flags=flag_table(run) if detectors(run) else None,
        scores_plots=scores,
        strengths=strengths,
        times=time_table(run),
        limits=limits(run, marked=marked, artifacts=bool(scores or strengths) or not detectors(run)),
    )


def _shown(run: ReportedRun, line: Line, texts: Texts) -> Shown:
    first = line.models[0]
    distances = [model.values["ks_statistic"].value for model in line.models if "ks_statistic" in model.values]
    spread = ", ".join(number("", value) for value in distances)
    ranks = [model.values.get("agreement_spearman") for model in line.models]
    agreement = ", ".join("not defined" if one is None else number("", one.value) for one in ranks)
    return Shown(
        line.label,
        Plot(ratio_distributions(run, line.models), f"{line.label}: distance from retained D = {spread}"),
        Plot(agreement_scatter(run, line.models), f"{line.label}: rank correlation with retained {agreement}"),
        tuple(examples(run, first, texts)),
        first.seed,
        len(line.models),
    )
