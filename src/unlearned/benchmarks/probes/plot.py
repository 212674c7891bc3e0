"""What can be read out of each layer, as SVG."""

from __future__ import annotations

from unlearned.benchmarks.probes.spec import LAYER, aggregate
from unlearned.benchmarks.results import Results
from unlearned.plots import LINE, SERIES, as_file, new_figure


def layers_plot(outcome: Results) -> str:
    """Accuracy of the probe by layer, a line for each model with its 95 % interval, and what guessing gives.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = new_figure()
    for number, model in enumerate(outcome.models):
        values = aggregate(model.items)
        names = sorted(name for name in values if name.startswith(LAYER))
        places = [int(name.removeprefix(LAYER)) for name in names]
        found = [values[name]["accuracy"] for name in names]
        colour = SERIES[number % len(SERIES)]
        axes.plot(places, [one.value for one in found], color=colour, label=model.name)
        low, high = zip(*(one.interval or (one.value, one.value) for one in found), strict=True)
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        if number == 0:
            chance = values[names[0]]["chance"]
            axes.axhline(chance.value, color=LINE, linestyle="--", label="guessing")
            if chance.interval is not None:
                axes.axhspan(*chance.interval, color=LINE, alpha=0.12, linewidth=0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("layer")
    axes.set_ylabel("accuracy of the probe")
    axes.legend(frameon=False, labelcolor=LINE, fontsize="small")
    return as_file(figure)
