"""Plots as inline SVG: no files beside the report, no script, text stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearned.classify.base import Floats
from unlearned.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORGET, OTHER, LINE = "#c2410c", "#0369a1", "#737373"  # readable on light and dark ground
BINS = 40


def score_distribution(forget: Floats, others: Floats, threshold: float) -> str:
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
    return as_svg(figure)


def strength_trace(trace: Sequence[tuple[float, float]], chosen: float, label: str) -> str:
    """The objective against the corruption's parameter, every evaluation, with the chosen value."""
    figure, axes = new_figure()
    ordered = sorted(trace)
    axes.plot([p for p, _ in ordered], [v for _, v in ordered], color=OTHER, marker="o", markersize=4)
    axes.axvline(chosen, color=FORGET, linestyle="--", label=f"chosen: {chosen:.3g}")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel("knowledge that remains")
    axes.legend(frameon=False, labelcolor=LINE)
    return as_svg(figure)


def new_figure() -> tuple[Figure, Any]:
    """An empty figure and its axes, in the style of all plots."""
    figure_module = require("matplotlib.figure", extra="report", purpose="The report")
    # Not pyplot: that would pick a window system and keep every figure alive.
    figure = figure_module.Figure(figsize=(6, 3), layout="constrained")
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


def as_svg(figure: Figure) -> str:
    """The figure as an inline `<svg>` element that scales with its container."""
    matplotlib = require("matplotlib", extra="report", purpose="The report")
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "unlearned"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # The namespaces' addresses are names, not requests, but inline SVG in HTML needs none of them.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1), count=1
    )
