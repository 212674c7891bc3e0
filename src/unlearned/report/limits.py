"""What a run does not prove: derived from the run, beginning with what weighs most."""

from __future__ import annotations

from collections.abc import Iterator

from unlearned.metrics.estimate import exact_interval
from unlearned.report.findings import joined, plural
from unlearned.report.lines import Line, lines
from unlearned.report.power import LEVEL, critical_distance, power
from unlearned.report.run import AUTHORS, SETS, ReportedRun
from unlearned.report.tables import number, percent

SHIFTS = (0.5, 1.0)
"""In standard deviations of log R: differences whose detection is simulated."""


def limits(run: ReportedRun, *, marked: bool, artifacts: bool) -> list[str]:
    """One sentence or two for each limit.

    Args:
        run: the run.
        marked: whether the corrupted characters were recorded.
        artifacts: whether the fitted artifacts are in its folder.
    """
    found = [*_size(run), *_test(run), *_seeds(run), *_taken_over(run), *_detector(run), *_always(run)]
    if not marked:
        found.append(
            "Which tokens were corrupted was not recorded by the version that made this run: nothing is marked."
        )
    if not artifacts:
        found.append("No artifacts are in the run's folder: thresholds and strength traces are not shown.")
    return found


def _size(run: ReportedRun) -> Iterator[str]:
    if run.limit:
        yield (
            f"Only the first {run.limit} rows of every set were used, to fit the unlearners too: such a run shows that "
            "everything works, and nothing about how well."
        )
    if run.authors:
        yield (
            f"Only {run.authors} of TOFU's 200 authors exist here: the numbers cannot be compared with published ones."
        )
    elif run.forget_authors != AUTHORS[run.split]:
        yield f"{run.forget_authors} authors are forgotten, which is none of the published splits."
    if missing := [label for name, label in SETS.items() if not run.rows[name]]:
        yield f"Not evaluated: {joined(missing)}."
    if cut := [SETS[name] for name in SETS if run.ds_size and run.rows[name] == run.ds_size and not run.limit]:
        yield f"At most {run.ds_size} rows of a set were asked; that cut: {joined(cut)}."
    count = run.rows["forget"]
    upper = exact_interval(0, count)[1]
    yield (
        f"With {plural(count, 'forget question')} even a leak rate of 0 only says that the true one is below "
        f"{percent(upper)} (exact 95 % interval)."
    )
    widest = max(_widths(run), default=None)
    if widest:
        yield f"The widest 95 % interval of a model utility ({widest[1]}) spans {number('', widest[0])}."


def _widths(run: ReportedRun) -> Iterator[tuple[float, str]]:
    for line in lines(run):
        found = line.measured("model_utility")
        if found and found.interval:
            yield found.interval[1] - found.interval[0], line.label


def _test(run: ReportedRun) -> Iterator[str]:
    count = run.rows["forget"]
    least = critical_distance(count)
    if least is None:
        yield f"With {plural(count, 'forget question')} the forget quality cannot fall below {LEVEL:g} at all."
        return
    shifts = joined([f"{shift:g}" for shift in SHIFTS])
    chances = joined([f"{100 * power(count, shift):.0f} %" for shift in SHIFTS])
    yield (
        f"A high forget quality is no proof of equality. With {count} questions p falls below {LEVEL:g} only from a "
        f"distance of D = {least:.3f} between the distributions of truth ratios on. It notices shifts by {shifts} "
        f"standard deviations in {chances} of cases (simulated, normal values)."
    )
    quality = run.start.values.get("forget_quality")
    if quality is not None and quality.value >= LEVEL:
        yield (
            f"The test does not tell even the start model from the retained one (p = "
            f"{number('forget_quality', quality.value)}): here a forget quality of {LEVEL:g} or more says nothing."
        )
    yield "The test does not know which value belongs to which question; rank correlation and scatter plots do."


def _seeds(run: ReportedRun) -> Iterator[str]:
    own = [line for line in lines(run) if line.models[0].unlearner]
    single = [line.label for line in own if len(line.models) == 1]
    if len(run.seeds) == 1:
        yield (
            "Every unlearner was fitted once: how much another seed would change is not known. All intervals are over "
            "questions."
        )
    else:
        yield (
            f"Intervals over {len(run.seeds)} seeds hold the questions fixed: they say what another fit would give, "
            "and nothing about other questions."
        )
        if single:
            yield f"Without seeds, because nothing in them is drawn, with intervals over questions: {joined(single)}."
    kept = "trained in this run" if run.trained else "given to the run and not trained in it"
    yield f"There is one start and one retained model, {kept}: how much another training would change is not known."


def _taken_over(run: ReportedRun) -> Iterator[str]:
    over = sum(not item.computed for model in run.unlearned for items in model.items.values() for item in items)
    every = sum(len(items) for model in run.unlearned for items in model.items.values())
    if not over:
        return
    again = sum(model.unchanged["computed_again"] for model in run.unlearned)
    differing = sum(model.unchanged["differing"] for model in run.unlearned)
    yield (
        f"{over} of {every} results of the unlearners were not computed but taken over from the start model, because "
        f"the prompt reaches it unchanged. Of such prompts {again} were computed anew, and {differing} then differed."
    )


def _detector(run: ReportedRun) -> Iterator[str]:
    if any(_detects(line) for line in lines(run)):
        yield (
            "The detector was fitted on the very forget and retain questions that are asked; only reworded questions, "
            "real authors and world facts are new to it."
        )
    if any(line.label == "refusal" for line in lines(run)):
        yield (
            "A fixed refusal has no likelihoods: the probabilities and truth ratios of refusal are the start model's "
            "under an instruction not to know."
        )


def _detects(line: Line) -> bool:
    return any(item.score > 0 for model in line.models for items in model.items.values() for item in items)


def _always(run: ReportedRun) -> Iterator[str]:
    yield "A leak is counted by words: knowledge in other words is missed, a lucky guess is counted."
    yield "Only greedy answers were looked at; sampling might bring up more."
    yield "The weights still hold the knowledge: who has them can ask without the unlearner."
    if run.verified is None:
        yield (
            "Whether the numbers come out again was not tried: unlearned bench verify with the folder "
            f"{run.name} computes the numbers anew from the items, and a sample of the items from the models."
        )
    else:
        v = run.verified
        differ = f"{v.differing} of them differ" if v.differing else "all of them follow"
        yield f"All {v.numbers} numbers were computed anew from the run's items by bench verify: {differ}."
        if v.sample:
            yield f"Of the items, a sample of {v.sample} was computed anew with the models: {v.held} held."
        else:
            yield "Whether the items themselves come out again was not tried (bench verify --sample 0)."
