"""The head of a report in words: what was tested and what came out. Every number is of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unlearned.report.lines import Line, lines
from unlearned.report.power import LEVEL
from unlearned.report.run import SETS, ReportedRun
from unlearned.report.tables import MUCH, number, percent

INTACT = 0.95
"""Share of the start model's utility from which on the rest counts as intact."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an unlearner should reach."""

    text: str
    holds: bool | None
    """None: the run cannot tell."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came out for one unlearner."""

    label: str
    leaks: tuple[str, str]
    """Leak rate before and after."""

    utility: tuple[str, str]
    quality: tuple[str, str]
    checks: tuple[Check, ...]
    sentences: tuple[str, ...]


def tested(run: ReportedRun) -> list[str]:
    """What was run, on what."""
    own = [line for line in lines(run) if line.models[0].unlearner]
    sizes = [f"{count} {SETS[name]}" for name, count in run.rows.items() if count]
    exist = f"the {run.authors} made-up authors that exist here" if run.authors else "200 made-up authors"
    several = [line.label for line in own if len(line.models) > 1]
    seeds = (
        f"; {joined(several)} fitted with the seeds {', '.join(map(str, run.seeds))}"
        if several
        else f"; one fit of each (seed {run.seeds[0]})"
    )
    return [
        f"{run.model} ({run.dtype}, {run.device}), TOFU {run.split}: of {exist}, "
        f"{run.forget_authors} {'is' if run.forget_authors == 1 else 'are'} to be forgotten. Questions: "
        f"{', '.join(sizes)}{f'; every set was cut to {run.limit} rows' if run.limit else ''}.",
        f"Compared: {joined([line.label for line in own])}{seeds}." if own else "No unlearner was run.",
        f"{f'Made on {run.at}. ' if run.at else ''}Machine: {run.machine}. "
        f"Versions: {', '.join(f'{name} {v}' for name, v in run.versions.items())}.",
    ]


def findings(run: ReportedRun) -> list[Finding]:
    """One for every unlearner that does something."""
    every = lines(run)
    start, retained = (next(line for line in every if line.label == name) for name in ("start", "retained"))
    return [_finding(line, start, retained) for line in every if line.competes]


def headline(found: Sequence[Finding]) -> str:
    """All of them in one sentence."""
    if not found:
        return "No unlearner was run that does anything."
    reached = [one.label for one in found if all(check.holds for check in one.checks)]
    unclear = [one.label for one in found if one.label not in reached and not _failed(one)]
    told = f"{joined(reached) if reached else 'No unlearner'} reached everything that is checked below."
    if unclear:
        told += f" Nothing speaks against {joined(unclear)}, but the run cannot tell all of it."
    return told


def _failed(finding: Finding) -> bool:
    return any(check.holds is False for check in finding.checks)


def _finding(line: Line, start: Line, retained: Line) -> Finding:
    def both(key: str) -> tuple[str, str]:
        return _shown(start, key), _shown(line, key)

    found = (_leaks(line, start, retained), _beyond(line), _shift(line))
    return Finding(
        line.label,
        both("forget_leak_rate"),
        both("model_utility"),
        both("forget_quality"),
        tuple(check for check in _checks(line, start, retained) if check is not None),
        tuple(filter(None, found)),
    )


def _checks(line: Line, start: Line, retained: Line) -> list[Check | None]:
    return [
        _forgotten(line, retained),
        _answers_alike(line, retained),
        _intact(line, start),
        _like_retained(line, start),
        _not_beyond(line),
    ]


def _forgotten(line: Line, retained: Line) -> Check | None:
    after, aim = line.measured("forget_leak_rate"), retained.measured("forget_leak_rate")
    if after is None or aim is None:
        return None
    return Check("leaks no more than the retained model", after.value <= aim.value)


def _answers_alike(line: Line, retained: Line) -> Check | None:
    found, aim = line.measured("forget_rouge"), retained.measured("forget_rouge")
    if found is None or aim is None or aim.interval is None:
        return None
    low, high = aim.interval
    text = f"its answers' ROUGE-L, {found.value:.3f}, lies within the retained model's interval"
    return Check(f"{text} ({low:.3f} to {high:.3f})", low <= found.value <= high)


def _intact(line: Line, start: Line) -> Check | None:
    before, after = start.measured("model_utility"), line.measured("model_utility")
    if before is None or after is None or before.value == 0:
        return None
    share = after.value / before.value
    return Check(f"keeps {percent(share)} of the start model's utility ({100 * INTACT:.0f} % needed)", share >= INTACT)


def _like_retained(line: Line, start: Line) -> Check | None:
    found = _p_values(line)
    if not found:
        return None
    apart = sum(p < LEVEL for p in found)
    if apart:
        seeds = f" with {apart} of {len(found)} seeds" if len(found) > 1 else ""
        return Check(f"its truth ratios are told apart from the retained model's{seeds} (p < {LEVEL:g})", False)
    same = "its truth ratios are not told apart from the retained model's"
    if min(_p_values(start), default=0.0) >= LEVEL:
        return Check(f"{same}, but neither are the start model's", None)
    seeds = f" with any of {len(found)} seeds" if len(found) > 1 else ""
    return Check(f"{same}{seeds} (p ≥ {LEVEL:g})", True)


def _not_beyond(line: Line) -> Check | None:
    share = line.measured("over_forgotten")
    if share is None:
        return None
    text = f"over-forgets {percent(share.value)} of the questions (below {100 * MUCH:.0f} % needed)"
    return Check(text, share.value < MUCH)


def _p_values(line: Line) -> list[float]:
    return [model.values["forget_quality"].value for model in line.models if "forget_quality" in model.values]


def _shown(line: Line, key: str) -> str:
    found = line.measured(key)
    if found is None:
        return "–"
    return percent(found.value) if key.endswith("leak_rate") else number(key, found.value)


def _leaks(line: Line, start: Line, retained: Line) -> str:
    before, after, aim = (_counted(one) for one in (start, line, retained))
    return f"{after} forget questions are answered with a leak; before {before}, by the retained model {aim}."


def _counted(line: Line) -> str:
    rate, count = line.measured("forget_leak_rate"), line.count("forget_leak_rate")
    assert rate is not None, "every model answers the forget questions"
    leaks = f"{rate.value * count:.1f}".removesuffix(".0")
    return f"{leaks} of {count}"


def _beyond(line: Line) -> str:
    share = line.measured("over_forgotten")
    if share is None or share.value < MUCH:
        return ""
    return (
        f"It over-forgets: {percent(share.value)} of the forget questions are further past the retained model than "
        "they were away from it before."
    )


def _shift(line: Line) -> str:
    """Whether, with every seed, the model is on the whole further from the truth than the retained one, or closer."""
    shifts = [model.values.get("agreement_log_shift") for model in line.models]
    sure = all(model.wilcoxon is not None and model.wilcoxon < LEVEL for model in line.models)
    signs = {one.value > 0 for one in shifts if one is not None}
    if not sure or None in shifts or len(signs) != 1:
        return ""
    where = "further from" if signs == {True} else "closer to"
    return f"Question by question it is {where} the truth than the retained model (Wilcoxon p < {LEVEL:g})."


def plural(count: int, what: str) -> str:
    """`1 question`, `2 questions`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
