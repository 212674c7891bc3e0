"""Recall against FPR as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from unlearned.benchmarks.classifier.results import Curve
from unlearned.plots import LINE, MARKERS, as_file, new_figure

LEAST_FPR = 1e-4
"""Where the logarithmic axis begins: nothing flagged is drawn there."""

COLOURS = ("#c2410c", "#0369a1", "#4d7c0f", "#7e22ce", "#b45309", "#0f766e")


def curves_plot(curves: Sequence[Curve]) -> str:
    """All curves without the header in one plot; a mark of its own shape where the calibrated threshold is.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = new_figure()
    figure.set_size_inches(7, 4.5)
    shown = [curve for curve in curves if curve.name.endswith("without header")]
    for index, curve in enumerate(shown):
        colour = COLOURS[index // 2 % len(COLOURS)]
        label = f"{curve.name.removesuffix(', without header')} ({curve.classifier})"
        style = "--" if "close" in curve.name else "-"
        fpr = [max(value, LEAST_FPR) for value in curve.fpr]
        axes.plot(fpr, curve.recall, color=colour, linestyle=style, label=label, drawstyle="steps-post")
        axes.plot(
            max(curve.chosen[0], LEAST_FPR),
            curve.chosen[1],
            color=colour,
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
        )
    axes.set_xscale("log")
    axes.set_xlim(LEAST_FPR, 1)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("recall")
    axes.legend(frameon=False, labelcolor=LINE, fontsize="small", loc="lower right")
    return as_file(figure)
