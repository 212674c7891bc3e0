"""Rows on what a scope is: its questions in other words, the other half of its questions, and everything else."""

from __future__ import annotations

from collections.abc import Sequence

from unlearned.benchmarks.classifier.bench import RETAIN_PER_FORGET, Bench
from unlearned.benchmarks.classifier.results import MEASURED, NONE, ErrorRate, RowResult, Target, counted
from unlearned.benchmarks.classifier.sets import AUTHOR, RETAIN_OF
from unlearned.examples import evenly
from unlearned.learn.whole_names import most_named
from unlearned.types import text_only

SPLITS = 5
SAMPLE = 2000
"""Prompts of SST-2 and of MMLU for a classifier that is only put beside the default one."""

MISSED = {"01": NONE, "05": NONE, "10": Target(1, 400)}


def paraphrases(bench: Bench) -> RowResult:
    """Forget and retain questions in other words; fitted on the questions as they stand."""
    measures = []
    for size in ("10",) if bench.kind == "encoder" else RETAIN_OF:  # training takes long
        scope = bench.tofu(size)
        for name, texts, in_scope, target in (
            (f"paraphrased forget questions missed, forget{size}", bench.data.paraphrases(size), True, MISSED[size]),
            (f"paraphrased retain questions flagged, forget{size}", bench.data.retain_paraphrases(), False, NONE),
        ):
            chosen = bench.some(texts)
            flagged = bench.flagged("paraphrases", [text_only(text) for text in chosen], scope)
            wrong = [is_flagged != in_scope for is_flagged in flagged]
            measures.append(counted("paraphrases", name, bench.kind, wrong, chosen, target))
    return RowResult(measures)


def halves(bench: Bench, *, row: str = "halves", named: bool = False) -> RowResult:
    """The scope, not the sentence: fitted on a random half of every author's questions, asked the other half.

    Args:
        bench: the run.
        row: name of the row.
        named: the authors' names are given, too.
    """
    authors = None if bench.limit is None else max(1, bench.limit // AUTHOR)
    forget = evenly(blocks(bench.data.forget("10")), authors)
    retain = evenly(blocks(bench.data.retain("10")), authors and RETAIN_PER_FORGET * authors)
    names = [name for questions in forget if (name := most_named(questions)[0])] if named else []
    missed: list[tuple[bool, str]] = []
    alarms: list[tuple[bool, str]] = []
    measures = []
    for split in range(1 if bench.kind == "encoder" else SPLITS):
        known, asked = halved(bench, split, forget)
        close, spared = halved(bench, split, retain)
        scope = bench.fit(f"half-{split}", known, close, names=names)
        seen = {*known, *close}  # a question of one author is another one's, too
        asked, spared = ([text for text in texts if text not in seen] for texts in (asked, spared))
        found = bench.flagged(row, [text_only(text) for text in [*asked, *spared]], scope)
        own = [(not is_flagged, text) for is_flagged, text in zip(found[: len(asked)], asked, strict=True)]
        others = [(is_flagged, text) for is_flagged, text in zip(found[len(asked) :], spared, strict=True)]
        missed += own
        alarms += others
        measures.append(_of(bench, row, f"other half, split {split + 1}: forget questions missed", own))
        measures.append(_of(bench, row, f"other half, split {split + 1}: retain questions flagged", others))
    overall = [
        _of(bench, row, "other half of every author: forget questions missed", missed, Target(2)),
        _of(bench, row, "other half of every author: retain questions flagged", alarms, Target(1, 1000)),
    ]
    return RowResult(overall + measures)


def elsewhere(bench: Bench) -> RowResult:
    """Questions and phrases that have nothing to do with the scope: real authors, the world, reviews, exams."""
    scopes = [bench.tofu(size) for size in (("10",) if bench.reduced else RETAIN_OF)]
    most = SAMPLE if bench.reduced else None
    bench.make_room()  # the next row looks at the same exams
    exams = bench.some(bench.data.exams("test"), most)
    sets: list[tuple[str, Target, list[list[str]]]] = [
        ("real authors and world facts", NONE, [bench.some(bench.data.elsewhere())]),
        ("SST-2 dev phrases", Target(1, 6735), [bench.some(bench.data.reviews("dev"), most)]),
        (
            "MMLU test questions, with or without the header",
            Target(3, 14042),
            [[exam.prompt(header=header) for exam in exams] for header in (False, True)],
        ),
    ]
    measures = []
    for name, target, forms in sets:
        found = [[False] * len(forms[0]) for _ in scopes]
        for texts in forms:  # a question counts once, in whatever form it is flagged
            verdicts = bench.verdicts(f"elsewhere: {name[:12]}", [text_only(text) for text in texts], *scopes)
            for so_far, own in zip(found, verdicts, strict=True):
                so_far[:] = [before or verdict.in_scope for before, verdict in zip(so_far, own, strict=True)]
        for scope, own_flags in zip(scopes, found, strict=True):
            label = f"{name} flagged, {scope.name}"
            measures.append(counted("elsewhere", label, bench.kind, own_flags, forms[0], target))
    return RowResult(measures)


def blocks(questions: Sequence[str]) -> list[list[str]]:
    """The questions of one author each."""
    return [list(questions[start : start + AUTHOR]) for start in range(0, len(questions), AUTHOR)]


def halved(bench: Bench, split: int, authors: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """(fitted, asked): a random half of every author's questions, and the others; the same in every run."""
    fitted, asked = [], []
    for questions in authors:
        order = bench.rng("half", split, questions[0]).sample(range(len(questions)), k=len(questions))
        chosen = set(order[: (len(questions) + 1) // 2])
        fitted += [question for n, question in enumerate(questions) if n in chosen]
        asked += [question for n, question in enumerate(questions) if n not in chosen]
    return fitted, asked


def _of(bench: Bench, row: str, name: str, pairs: Sequence[tuple[bool, str]], target: Target = MEASURED) -> ErrorRate:
    return counted(row, name, bench.kind, [wrong for wrong, _ in pairs], [text for _, text in pairs], target)
