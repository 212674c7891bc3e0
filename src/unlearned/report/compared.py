"""The head of a report of the common form: what was tested, what came out in one sentence, and a plot of each measure.

The sentence follows one rule: a number is better or worse than the start model's where their 95 % intervals do not
meet, and not told apart from it where they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearned.benchmarks.results import Results
from unlearned.benchmarks.spec import Measure, Spec, specs
from unlearned.metrics.estimate import Estimate
from unlearned.plots import LINE, MARKERS, SERIES, Plot, as_svg, new_figure
from unlearned.report.findings import joined, plural

START, RETAINED = "start", "retained"
REFERENCES = (START, RETAINED, "retained-2", "retained-es", "none")
NAMED = 3
"""Numbers that the sentence names for each unlearner; the tables have all."""

DATE = "The date was not recorded."
VERDICT_RULE = (
    "Better or worse: the 95 % intervals of the two models do not meet. Not told apart: they do, or there are none and "
    "the numbers are the same."
)


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """A model; an unlearner with all its seeds."""

    label: str
    seeds: int
    values: Mapping[tuple[str, str], tuple[Estimate, str]]
    """(set, measure) -> estimate and what its interval lets vary."""


def tested(outcome: Results) -> list[str]:
    """Which model, on what data and machine, when."""
    own = [label for label in dict.fromkeys(model.unlearner for model in outcome.models) if label]
    shard = f", shard {outcome.shard[0]} of {outcome.shard[1]}" if outcome.shard else ""
    data = joined([f"{Path(name).name} ({digest[:12]})" for name, digest in outcome.data.items()])
    sets = dict.fromkeys(str(item["set"]) for model in outcome.models for item in model.items)
    machine = outcome.machine
    model = model_name(outcome.config) or "see the settings below"
    return [
        f"Model: {model} ({machine.dtype}, {machine.device}){shard}. "
        f"{f'Compared: {joined(own)}.' if own else 'No unlearner was run.'}",
        *_version(outcome),
        f"Data: {data or 'none recorded'}; {plural(_items(outcome), 'item')} in {plural(len(sets), 'set')} (the hashes "
        "in full are below).",
        f"{f'Made on {outcome.at}' if outcome.at else DATE.rstrip('.')}; {machine.name}; "
        f"{', '.join(f'{name} {version}' for name, version in list(machine.versions.items())[:3])}.",
    ]


def _version(outcome: Results) -> list[str]:
    """Nothing where this release would make the same numbers."""
    now = specs.get(outcome.kind).version
    if outcome.version == now:
        return []
    made = (
        f"before versions were recorded; the benchmark now is at version {now}"
        if outcome.version is None
        else f"by version {outcome.version} of the benchmark, which now is at version {now}"
    )
    return [f"Made {made}: compare with new runs only after a new run."]


def _items(outcome: Results) -> int:
    return max((len(model.items) for model in outcome.models), default=0)


def model_name(config: Mapping[str, object]) -> str:
    """The model of a run's settings; of a local path, its last part. Empty where they name none."""
    found = config.get("model")
    name = found.get("model") if isinstance(found, Mapping) else found
    if not isinstance(name, str):
        return ""
    return Path(name).name if name.startswith((".", "/", "~")) or name.count("/") > 1 else name


def verdict(lines: Sequence[ComparedModel], kind: Spec, sets: Sequence[str]) -> str:
    """What came out, in one sentence; of the main sets' measures that have a better side."""
    start = next((line for line in lines if line.label == START), None)
    own = [line for line in lines if line.label not in REFERENCES]
    if not own:
        return "No unlearner was run, so there is nothing to compare."
    if start is None:
        return f"Only {joined([line.label for line in own])} was run, without the start model to compare with."
    return f"{'; '.join(_said(line, start, lines, kind, sets) for line in own)}."


def _said(
    line: ComparedModel, start: ComparedModel, lines: Sequence[ComparedModel], kind: Spec, sets: Sequence[str]
) -> str:
    retained = next((other for other in lines if other.label == RETAINED), None)
    found: dict[str, list[str]] = {"better": [], "worse": [], "the same": []}
    for place, measure in judged(lines, kind, sets):
        if place in line.values and place in start.values:
            aim = retained.values[place][0].value if retained and place in retained.values else None
            side = _side(line.values[place][0], start.values[place][0], measure, aim)
            if side is not None:
                found[side].append(_title(place, measure, sets))
    count = sum(map(len, found.values()))
    if not count:
        return f"{line.label}: nothing was measured that has a better side"

    def told(side: str) -> str:
        names = found[side]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"{len(names)} ({', '.join(names[:NAMED])}{more})" if names else "none"

    return (
        f"{line.label} is better than the start model in {told('better')} of {plural(count, 'number')}, worse in "
        f"{told('worse')}, and not told apart in {len(found['the same'])}"
    )


def _side(own: Estimate, start: Estimate, measure: Measure, aim: float | None) -> str | None:
    """None: without a retained model there is no saying what is close to it."""
    if measure.better == "retained" and aim is None:
        return None
    if own.interval is not None and start.interval is not None:
        apart = own.interval[0] > start.interval[1] or own.interval[1] < start.interval[0]
    else:
        apart = round(own.value, 3) != round(start.value, 3)
    if not apart:
        return "the same"
    if measure.better == "retained":
        better = abs(own.value - (aim or 0.0)) < abs(start.value - (aim or 0.0))
    else:
        better = (own.value > start.value) is (measure.better == "high")
    return "better" if better else "worse"


def judged(lines: Sequence[ComparedModel], kind: Spec, sets: Sequence[str]) -> list[tuple[tuple[str, str], Measure]]:
    """The main sets' measures that have a better side and that some model has."""
    return [
        ((name, key), measure)
        for name in sets
        for key, measure in kind.measures.items()
        if measure.better is not None and any((name, key) in line.values for line in lines)
    ]


def _title(place: tuple[str, str], measure: Measure, sets: Sequence[str]) -> str:
    return f"{place[0]}: {measure.title}" if len(sets) > 1 else measure.title


def measure_plots(
    lines: Sequence[ComparedModel], kind: Spec, sets: Sequence[str], *, most: int = 8, sign: Callable[[Measure], str]
) -> list[Plot]:
    """One plot for each measure that has a better side, a row for each model, so that no mark covers another.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    shown = [one for one in judged(lines, kind, sets) if sum(one[0] in line.values for line in lines) > 1]
    return [_measure_plot(lines, place, measure, _title(place, measure, sets), sign) for place, measure in shown[:most]]


def _measure_plot(
    lines: Sequence[ComparedModel], place: tuple[str, str], measure: Measure, title: str, sign: Callable[[Measure], str]
) -> Plot:
    own = [line for line in lines if place in line.values]
    figure, axes = new_figure(height=0.9 + 0.34 * len(own))
    colours = [label for label in (line.label for line in lines) if label not in REFERENCES]
    for row, line in enumerate(own):
        estimate = line.values[place][0]
        reference = line.label in REFERENCES
        number = colours.index(line.label) if not reference else 0
        colour = LINE if reference else SERIES[number % len(SERIES)]
        if estimate.interval is not None:
            axes.plot(estimate.interval, [row, row], color=colour, linewidth=2.5, alpha=0.45, solid_capstyle="butt")
        axes.plot(
            [estimate.value],
            [row],
            marker="o" if reference else MARKERS[number % len(MARKERS)],
            markersize=7,
            markerfacecolor="none" if reference else colour,
            markeredgecolor=colour,
            linestyle="none",
        )
        if line.label == RETAINED:
            axes.axvline(estimate.value, color=LINE, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(own)), [line.label for line in own])
    axes.set_ylim(len(own) - 0.4, -0.6)
    axes.set_xlabel(f"{title} {sign(measure)}".strip())
    bars = ", with its 95 % interval" if any(line.values[place][0].interval for line in own) else ""
    dashed = "; dashed: the retained model" if any(line.label == RETAINED for line in own) else ""
    return Plot(
        as_svg(figure, title), f"{title}: a row for each model{bars}; hollow: models without unlearning{dashed}."
    )
