"""The plots of a TOFU run: forget quality against utility, truth ratios, agreement, detector scores, strengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.metrics.estimate import Doubles
from unlearned.plots import (
    FORGET,
    LINE,
    MARKERS,
    OTHER,
    SERIES,
    Plot,
    as_svg,
    new_figure,
    score_distribution,
    strength_traces,
)
from unlearned.report.power import LEVEL
from unlearned.report.read import read_scope
from unlearned.report.run import HARMLESS, Model, ReportedRun

if TYPE_CHECKING:
    from unlearned.artifact.schema import ScopeRecord, StrengthRecord

SAME = 0.015
"""Share of an axis within which marks count as lying on each other."""

APART = 7.0
"""Points from one of them to the next."""

LEAST_LOG = -320.0
"""log10 of a p-value that is 0 in double precision, for the plot."""


def utility_against_quality(runs: Sequence[ReportedRun]) -> Plot:
    """The field's usual plot: one mark for each unlearner and seed, start and retained model named.

    Unlearners differ in shape as well as colour; where several runs are shown, shapes are theirs. What would cover
    another mark stands beside it.
    """
    from matplotlib.transforms import ScaledTranslation

    figure, axes = new_figure(height=4.0)
    names = dict.fromkeys(model.label for run in runs for model in run.unlearned)
    colours = {name: SERIES[number % len(SERIES)] for number, name in enumerate(names)}
    lowest = [float(np.log10(LEVEL))]
    shapes = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(names)}
    marks: list[tuple[str, float, float, dict[str, Any]]] = []
    for number, run in enumerate(runs):
        for model in run.models:
            if (y := _log10(model)) is None:
                continue
            lowest.append(y)
            shape = MARKERS[number % len(MARKERS)] if len(runs) > 1 else shapes.get(model.label, "o")
            style = _mark(model.label, colours.get(model.label, LINE), shape)
            marks.append((model.label, model.values["model_utility"].value, y, style))
    beside = _beside([(x, y) for label, x, y, _ in marks if label != "none"])
    left = iter(beside)
    for label, x, y, style in marks:
        shift = 0.0 if label == "none" else next(left)  # a ring around the start model
        moved = axes.transData + ScaledTranslation(shift / 72, 0.0, figure.dpi_scale_trans)
        axes.plot([x], [y], **(style | {"transform": moved} if shift else style))
    axes.axhline(lowest[0], color=LINE, linestyle="--", linewidth=1)
    axes.set_ylim(min(lowest) * 1.15, -min(lowest) * 0.12)
    axes.margins(x=0.1)
    axes.set_xlabel("model utility")
    axes.set_ylabel("log10 of the forget quality p")
    own = {} if len(runs) > 1 else shapes
    handles = [
        _key(name, _mark(name, colours.get(name, LINE), own.get(name, "o"))) for name in ("start", "retained", *names)
    ]
    if len(runs) > 1:
        handles += [_key(run.name, _mark("", LINE, MARKERS[n % len(MARKERS)])) for n, run in enumerate(runs)]
    handles.append(_key(f"p = {LEVEL:g}", {"color": LINE, "linestyle": "--", "linewidth": 1}))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, labelcolor=LINE, fontsize=9)
    caption = (
        "Shapes: the runs."
        if len(runs) > 1
        else "Hollow: models that nothing was done to; none is a ring around start."
    )
    if any(beside):
        caption += " Marks that would cover each other stand side by side, so their utility is that of the first."
    return Plot(as_svg(figure, "Forget quality against model utility"), caption)


def _beside(places: Sequence[tuple[float, float]]) -> list[float]:
    """How far, in points to the right, each mark is drawn so that it does not lie on an earlier one."""
    spread = [max(1e-12, max(axis) - min(axis)) for axis in zip(*places, strict=True)] if places else []
    shifts: list[float] = []
    for number, place in enumerate(places):
        met = [
            shift
            for shift, other in zip(shifts, places[:number], strict=True)
            if all(abs(a - b) <= SAME * width for a, b, width in zip(place, other, spread, strict=True))
        ]
        shifts.append(max(met) + APART if met else 0.0)
    return shifts


def _mark(label: str, colour: str, shape: str) -> dict[str, Any]:
    """How a model is drawn: `none`, which lies on the start model, as a ring around it; the start model hollow."""
    hollow = label in ("start", "none")
    return {
        "marker": shape,
        "linestyle": "none",
        "markersize": {"none": 12.0, "start": 7.0, "retained": 9.0}.get(label, 7.0),
        "markerfacecolor": "none" if hollow else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 1.6 if hollow else 1.0,
        "alpha": 0.85,
    }


def _key(label: str, style: Mapping[str, Any]) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


def ratio_distributions(run: ReportedRun, models: Sequence[Model]) -> str:
    """Distribution functions of log10 R on the forget set: retained, start, and one unlearner with its seeds."""
    figure, axes = new_figure()
    shown = [(model, FORGET, "-", model.label if n == 0 else None) for n, model in enumerate(models)]
    shown += [(run.retained, OTHER, "-", "retained"), (run.start, LINE, "--", "start")]
    for model, colour, style, label in shown:
        axes.ecdf(_log10_ratios(model), color=colour, linestyle=style, label=label, linewidth=1.6)
    axes.set_xlabel("log10 R  (left: the truth is preferred)")
    axes.set_ylabel("share of questions")
    axes.locator_params(axis="x", nbins=6)
    axes.legend(frameon=False, labelcolor=LINE, fontsize=9)
    return as_svg(figure, f"Distributions of truth ratios: {models[0].label}, retained, start")


def agreement_scatter(run: ReportedRun, models: Sequence[Model]) -> str:
    """log10 R of an unlearner against the retained model's, question by question; over-forgotten ones are crosses."""
    figure, axes = new_figure()
    x = _log10_ratios(run.retained)
    every = [x, *(_log10_ratios(model) for model in models)]
    ends = [min(float(v.min()) for v in every), max(float(v.max()) for v in every)]
    axes.plot(ends, ends, color=LINE, linestyle="--", linewidth=1)
    axes.plot(x, _log10_ratios(run.start), marker=".", color=LINE, linestyle="none", alpha=0.5, label="start")
    for number, model in enumerate(models):
        y = _log10_ratios(model)
        over = np.array([item.over_forgotten for item in model.items["forget"]])
        label = model.label if number == 0 else None
        axes.plot(x[~over], y[~over], marker="o", markersize=4, color=FORGET, linestyle="none", alpha=0.7, label=label)
        if over.any():
            axes.plot(x[over], y[over], marker="x", color=FORGET, linestyle="none", alpha=0.9)
    axes.set_xlabel("log10 R of the retained model")
    axes.set_ylabel("log10 R")
    axes.legend(frameon=False, labelcolor=LINE, fontsize=9)
    return as_svg(figure, f"Truth ratios question by question: {models[0].label} against retained")


def detector_plots(run: ReportedRun, seeds: Sequence[int]) -> list[Plot]:
    """Scores of one detector for each seed, with its threshold; forget questions in both wordings against the rest."""
    found = []
    for seed in seeds:
        scope = read_scope(run, seed, "detector")
        model = next((m for m in run.unlearned if m.seed == seed and _scores(m, tuple(m.items)).any()), None)
        if scope is None or model is None:
            continue
        forget, others = _scores(model, ("forget", "paraphrased")), _scores(model, HARMLESS)
        svg = score_distribution(
            forget.astype(np.float32), others.astype(np.float32), scope.threshold, title=f"Detector scores, seed {seed}"
        )
        caption = (
            f"seed {seed}: {len(forget)} forget questions in both wordings and {len(others)} others; "
            f"{scope.classifier.kind}, threshold {scope.threshold:.3f}"
        )
        if (c := scope.calibration) is not None:
            errors = f"{c.missed} of {c.forget_count} missed, {c.flagged} of {c.negative_count} flagged"
            caption += f", calibrated by {c.method}: {errors}"
        found.append(Plot(svg, caption))
    return found


def strength_plots(run: ReportedRun) -> list[Plot]:
    """The search for the strength of every unlearner that has one, its seeds in one plot."""
    scopes: dict[str, list[tuple[int, ScopeRecord]]] = {}
    for model in run.unlearned:
        scope = None if model.seed is None else read_scope(run, model.seed, model.label)
        if scope is not None and model.seed is not None and scope.corruption is not None:
            scopes.setdefault(model.label, []).append((model.seed, scope))
    return [_strengths(label, own) for label, own in scopes.items()]


def _strengths(label: str, own: Sequence[tuple[int, ScopeRecord]]) -> Plot:
    traces, words = {}, []
    for seed, scope in own:
        corruption, record = scope.corruption, scope.strength
        assert corruption is not None, "others were left out"
        chosen = corruption.strength if corruption.strength is not None else float(corruption.dims or 0)
        words.append(f"seed {seed}: {corruption.function} {chosen:.3g} on {scope.selector}, {_found(record)}")
        if record is not None and len(record.trace) > 1:
            traces[f"seed {seed}: {chosen:.3g}"] = ([(e.parameter, e.value) for e in record.trace], chosen)
    first = own[0][1].corruption
    by_dims = first is not None and first.strength is None
    axis = "dims" if by_dims else "strength, in standard deviations of the embeddings"
    return Plot(strength_traces(traces, axis) if traces else "", f"{label}: {'; '.join(words)}")


def _found(record: StrengthRecord | None) -> str:
    """How a strength was found, in words."""
    if record is None:
        return "by hand"
    text = f"{100 * record.chosen.distance:.0f} % of the gap remains ({len(record.trace)} evaluations)"
    if not record.candidates:
        return text
    best = ", ".join(f"{c.function} on {c.selector} {c.chosen.value:.2f}" for c in record.candidates if c.pareto)
    return f"{text}, chosen among {len(record.candidates)} (not dominated: {best})"


def _log10(model: Model) -> float | None:
    if "forget_quality" not in model.values:
        return None
    return LEAST_LOG if model.log10_quality is None else model.log10_quality


def _log10_ratios(model: Model) -> Doubles:
    ratios: Doubles = np.array([item.log_ratio for item in model.items["forget"]], dtype=np.float64) / np.log(10)
    return ratios


def _scores(model: Model, names: Sequence[str]) -> Doubles:
    return np.array([item.score for name in names for item in model.items.get(name, ())], dtype=np.float64)
