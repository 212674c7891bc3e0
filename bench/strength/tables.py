"""The results of the strength benchmark as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def as_markdown(results: Mapping[str, Any]) -> str:
    """All parts that were measured."""
    made = f" Made on {results['at']}." if results.get("at") else ""
    parts = [f"Model {results['model']}; {results['machine']}; torch {results['versions']['torch']}.{made}"]
    if "cost" in results:
        parts.append(_cost(results["cost"]))
    if "search" in results:
        parts.append(_search(results["search"]))
    if "transfer" in results:
        parts.append(_transfer(results["transfer"]))
    if "leaks" in results:
        parts.append(_leaks(results["leaks"]))
    if "surrogates" in results:
        parts.append(_surrogates(results["surrogates"]))
    return "\n\n".join(parts) + "\n"


def _cost(cost: Mapping[str, Any]) -> str:
    return (
        f"Learning a strength on {cost['rows']} forget rows: {cost['seconds']:.1f} s, {cost['evaluations']} "
        f"evaluations. One evaluation {cost['seconds_per_evaluation']:.2f} s, the naive way "
        f"{cost['naive_seconds_per_evaluation']:.1f} s: {cost['ratio']:.1f} x. Largest difference of the objective: "
        f"{cost['largest_difference_of_the_objective']:.3f}."
    )


def _search(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(row["optimiser"] for row in rows))
    lines = [
        "| scope | function | best of the grid (at) | "
        + " | ".join(f"{name}: evaluations (best)" for name in names)
        + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    keys = dict.fromkeys((row["scope"], row["function"]) for row in rows)
    for scope, function in keys:
        own = {row["optimiser"]: row for row in rows if (row["scope"], row["function"]) == (scope, function)}
        first = own[names[0]]
        cells = [f"{_count(own[name]['evaluations'])} ({own[name]['best']:.3f})" for name in names]
        lines.append(
            f"| {scope} | {function} | {first['grid_best']:.3f} ({first['grid_best_at']:.3g}) | {' | '.join(cells)} |"
        )
    for name in names:
        counts = [row["evaluations"] for row in rows if row["optimiser"] == name]
        reached = [count for count in counts if count is not None]
        summary = f"median {statistics.median(reached):g}, worst {max(reached)}" if reached else "no count"
        lines.append("")
        lines.append(f"{name}: reached in {len(reached)} of {len(counts)}; evaluations until then: {summary}.")
    return "\n".join(lines)


def _count(evaluations: int | None) -> str:
    return "never" if evaluations is None else str(evaluations)


def _transfer(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| learned on | used on | strength | distance left | gap | penalty |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['learned_on']} | {row['used_on']} | {row['strength']:.3g} | {row['distance']:.1%} | "
        f"{row['gap']:+.1%} | {row['penalty']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _surrogates(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| measure | surrogate | mean | retained model | mean difference per question | Spearman |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        rho = "" if row["spearman"] is None else f"{row['spearman']:.2f}"
        lines.append(
            f"| {row['measure']} | {row['surrogate']} | {row['mean']:.2f} | {row['retained_mean']:.2f} | "
            f"{row['per_item_difference']:.2f} | {rho} |"
        )
    return "\n".join(lines)


def _leaks(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| scope | leaks: original | unlearned | invented subjects | not detected | empty | empty or repeating | "
        "perplexity | of invented |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['scope']} | {row['original']}/{row['questions']} | {row['unlearned']}/{row['questions']} | "
            f"{row['invented']}/{row['questions']} | {row['undetected']} | {row['empty']} | {row['degenerate']} | "
            f"{row['perplexity']:.1f} | {row['invented_perplexity']:.1f} |"
        )
    return "\n".join(lines)
