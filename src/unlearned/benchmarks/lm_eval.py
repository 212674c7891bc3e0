"""What the numbers of `unlearned eval` are, and how they come from items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unlearned.benchmarks.spec import Item, Measure, Spec, Values
from unlearned.metrics.estimate import Doubles, Estimate, bootstrap, mean

ALL = "all tasks"

MEASURES: Mapping[str, Measure] = {
    "score": Measure(
        title="score",
        definition="The first measure of the task as lm-evaluation-harness has it (accuracy, exact match, ...); over "
        "all tasks the plain mean of the tasks' own.",
        better="high",
    ),
    "acc_norm": Measure(
        title="acc_norm",
        definition="Accuracy by log-likelihood per byte, where the task has it.",
        better="high",
    ),
    "flagged": Measure(title="flagged", definition="Share of questions of which some context is flagged."),
    "unchanged": Measure(
        title="unchanged",
        definition="Share of questions on which every response is the start model's, to the last bit.",
        better="high",
    ),
}

LIMITS = (
    "Prompts and scores are lm-evaluation-harness's own, which differ from the ECO paper's: see the documentation.",
    "Tasks that overlap with the forget scope (a whole MMLU holds every subject) should lose there: look at the tasks.",
    "A text that is scored without a context (rolling log-likelihood) is nobody's prompt, and so never flagged.",
)


def aggregate(items: Sequence[Item]) -> Values:
    """Means of every task, of every subtask of a group, and over all tasks."""
    sets: dict[str, list[Item]] = {}
    for item in items:
        sets.setdefault(item["set"], []).append(item)
    found: dict[str, dict[str, Estimate]] = {}
    if sets:
        found[ALL] = _means(items) | _mean_of_means(sets, "score") | _mean_of_means(sets, "acc_norm")
    for name, rows in sets.items():
        found[name] = _means(rows)
        tasks = dict.fromkeys(row["task"] for row in rows)
        if len(tasks) > 1:  # a group such as mmlu: its own mean counts every question alike, as the harness does it
            found |= {f"{name}: {task}": _means([row for row in rows if row["task"] == task]) for task in tasks}
    return found


def _means(rows: Sequence[Item]) -> dict[str, Estimate]:
    """Means of the measures that every row has."""
    return {
        name: mean([row[name] for row in rows], name)
        for name in MEASURES
        if all(row.get(name) is not None for row in rows)
    }


def _mean_of_means(sets: Mapping[str, Sequence[Item]], name: str) -> dict[str, Estimate]:
    """Each task counts as much, however many questions it has."""
    tables = [
        np.array([[row[name]] for row in rows], dtype=np.float64)
        for rows in sets.values()
        if all(row.get(name) is not None for row in rows)
    ]
    if not tables:
        return {}

    def over_tasks(means: Doubles) -> Doubles:
        return np.asarray(means.mean(axis=1))

    return {name: bootstrap(tables, over_tasks)}


SPEC = Spec(
    name="eval",
    version=1,
    title="General utility, by lm-evaluation-harness",
    measures=MEASURES,
    aggregate=aggregate,
    main=(ALL,),
    limits=LIMITS,
)
