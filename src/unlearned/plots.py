"""Plots as inline SVG: no files beside the report, no script, text stays text."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearned.classify.base import Floats
from unlearned.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORGET, OTHER, LINE = "#c2410c", "#0369a1", "#737373"
COLOURS = {FORGET: "var(--forget)", OTHER: "var(--other)", LINE: "var(--soft)"}
"""What stands in the figure -> the page's colour, which differs on light and dark ground."""

SERIES = ("#2b7bba", "#d9691e", "#2b9a66", "#a05cc4", "#cf3f4f", "#94702c", "#c9589c", "#4c8f94")
"""One for each unlearner; readable on light and dark ground."""

MARKERS = "osD^vPX"
"""One for each unlearner, or each run, so that they can be told apart without their colours."""

BINS = 40


@dataclass(frozen=True, slots=True)
class Plot:
    """An SVG and what is written below it."""

    svg: str
    caption: str


def score_distribution(forget: Floats, others: Floats, threshold: float, *, title: str = "scores") -> str:
    """Histogram of p(forget | x) for forget and other examples, with the threshold; logarithmic counts."""
    figure, axes = new_figure()
    edges = [index / BINS for index in range(BINS + 1)]
    axes.hist(
        [others, forget], bins=edges, color=[OTHER, FORGET], label=["other examples", "forget examples"], stacked=True
    )
    axes.axvline(threshold, color=LINE, linestyle="--", label=f"threshold {threshold:.3f}")
    axes.set_yscale("log")
    axes.set_xlabel("p(forget | prompt)")
    axes.set_ylabel("examples")
    axes.legend(frameon=False, labelcolor=LINE)
    return as_svg(figure, title)


Trace = Sequence[tuple[float, float]]
"""(parameter, objective) of every evaluation."""


def strength_trace(trace: Trace, chosen: float, label: str) -> str:
    """The objective against the corruption's parameter, every evaluation, with the chosen value."""
    return strength_traces({f"chosen: {chosen:.3g}": (trace, chosen)}, label)


def strength_traces(traces: Mapping[str, tuple[Trace, float]], label: str) -> str:
    """Plot the strength traces of several fits; name of the fit -> its trace and chosen value."""
    figure, axes = new_figure()
    colours = [OTHER, *SERIES[1:]]
    for number, (name, (trace, chosen)) in enumerate(traces.items()):
        colour = colours[number % len(colours)]
        ordered = sorted(trace)
        axes.plot([p for p, _ in ordered], [v for _, v in ordered], color=colour, marker="o", markersize=4)
        axes.axvline(chosen, color=FORGET if len(traces) == 1 else colour, linestyle="--", label=name)
    _scale(axes, [parameter for trace, _ in traces.values() for parameter, _ in trace])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel("knowledge that remains")
    axes.legend(frameon=False, labelcolor=LINE)
    return as_svg(figure, f"strength: {', '.join(traces)}")


def _scale(axes: Any, parameters: Sequence[float]) -> None:
    """Logarithmic; where 0 was tried (strangers alone), with a linear piece from 0 to the least that was."""
    above = [parameter for parameter in parameters if parameter > 0]
    if len(above) == len(parameters):
        axes.set_xscale("log")
    elif above:
        axes.set_xscale("symlog", linthresh=min(above))
        axes.set_xlim(left=0)


def new_figure(height: float = 3.0) -> tuple[Figure, Any]:
    """An empty figure and its axes, in the style of all plots; narrow, so that text stays readable on a phone."""
    figure_module = require("matplotlib.figure", extra="report", purpose="The report")
    # Not pyplot: that would pick a window system and keep every figure alive.
    figure = figure_module.Figure(figsize=(4.8, height), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=LINE, which="both")
    axes.xaxis.label.set_color(LINE)
    axes.yaxis.label.set_color(LINE)
    axes.patch.set_alpha(0)
    figure.patch.set_alpha(0)
    return figure, axes


def as_svg(figure: Figure, title: str) -> str:
    """The figure as an inline `<svg>` element that scales with its container.

    Args:
        figure: what was drawn.
        title: what it shows, for people who do not see it.
    """
    head, _, rest = as_file(figure).partition(">")
    # Addresses of namespaces are names, not requests, but inline SVG needs none of them; nor does it need the size.
    head = re.sub(r' (?:width|height|version|xmlns(?::\w+)?)="[^"]*"', "", head)
    head += f' role="img" aria-label="{html.escape(title)}"'
    rest = re.sub(r'<g id="[^"]*"', "<g", rest)  # the same in every figure, and nothing refers to them
    for colour, variable in COLOURS.items():
        rest = rest.replace(colour, variable)
    return f"{head}>{rest}"


def as_file(figure: Figure) -> str:
    """The figure as the text of an SVG file; the same figure always gives the same text."""
    matplotlib = require("matplotlib", extra="report", purpose="The report")
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "unlearned"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
