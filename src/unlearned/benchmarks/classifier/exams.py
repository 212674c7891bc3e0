"""Row on MMLU's subsets: forget a subject that is known by 10 to 15 exam questions and 300 synthetic ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearned.benchmarks.classifier.bench import Bench, Fitted
from unlearned.benchmarks.classifier.results import Curve, ErrorRate, RowResult, Target, counted, curve
from unlearned.benchmarks.classifier.sets import Exam, synthetic
from unlearned.classify.base import Floats
from unlearned.types import Verdict, text_only


@dataclass(frozen=True, slots=True)
class ExamSubject:
    """What is forgotten, and what is close to it."""

    name: str
    forget: tuple[str, ...]
    close: tuple[str, ...]


SUBJECTS = (
    ExamSubject("economics", ("high_school_macroeconomics", "high_school_microeconomics"), ("econometrics",)),
    ExamSubject(
        "physics",
        ("college_physics", "conceptual_physics", "high_school_physics"),
        ("college_mathematics", "high_school_mathematics"),
    ),
    ExamSubject("law", ("international_law", "professional_law"), ("jurisprudence",)),
)
"""Source: arXiv:2406.07933, MMLU subsets."""

CLOSE, OTHERS = Target(2), Target(5, 1000)
WITH_HEADER = 2000
"""Questions of the other subjects that are also asked with the header."""


def subsets(bench: Bench) -> RowResult:
    """Recall, false alarms and their curve; no prompt that is fitted has the header that names the subject."""
    dev, test = bench.data.exams("dev"), bench.data.exams("test")
    measures: list[ErrorRate] = []
    curves: list[Curve] = []
    for subject in SUBJECTS:
        scope = bench.fit(subject.name, *_fitted_on(bench, subject, dev), calibrate_by="fpr")  # within 0.5 %
        found = _asked(bench, subject, test, scope)
        for (group, header), (texts, verdicts) in found.items():
            flagged = [verdict.in_scope for verdict in verdicts]
            form = "with header" if header else "without header"
            if group == "forget":
                wrong = [not is_flagged for is_flagged in flagged]
                name = f"{subject.name}: test questions missed, {form}"
                measures.append(counted("mmlu", name, bench.kind, wrong, texts))
            else:
                name = f"{subject.name}: {group} flagged, {form}"
                target = CLOSE if group == "close subjects" else OTHERS
                measures.append(counted("mmlu", name, bench.kind, flagged, texts, target))
        for header in (False, True):
            for group in ("close subjects", "other subjects"):
                name = f"{subject.name} against {group}, {'with' if header else 'without'} header"
                ours, others = (_scores(found[key, header][1]) for key in ("forget", group))
                curves.append(curve("mmlu", name, bench.kind, ours, others, scope.threshold))
    return RowResult(measures, curves=curves)


def _fitted_on(bench: Bench, subject: ExamSubject, dev: Sequence[Exam]) -> tuple[list[str], list[str]]:
    """(forget, retain): dev questions of the subject and synthetic ones; dev questions of all other subjects."""
    known = [exam for exam in dev if exam.subject in subject.forget] + bench.some(synthetic(subject.name))
    forget = list(dict.fromkeys(exam.prompt(header=False) for exam in known))
    retain = [exam.prompt(header=False) for exam in dev if exam.subject not in subject.forget]
    return forget, [text for text in retain if text not in forget]


def _asked(
    bench: Bench, subject: ExamSubject, test: Sequence[Exam], scope: Fitted
) -> dict[tuple[str, bool], tuple[list[str], list[Verdict]]]:
    """(group, header) -> prompts and their verdicts."""
    groups = {
        "forget": [exam for exam in test if exam.subject in subject.forget],
        "close subjects": [exam for exam in test if exam.subject in subject.close],
        "other subjects": [exam for exam in test if exam.subject not in subject.forget + subject.close],
    }
    found = {}
    for group, exams in groups.items():
        for header in (False, True):
            most = WITH_HEADER if header and group == "other subjects" else None
            texts = [exam.prompt(header=header) for exam in bench.some(exams, most)]
            (verdicts,) = bench.verdicts(f"mmlu: {subject.name}", [text_only(text) for text in texts], scope)
            found[group, header] = texts, verdicts
    return found


def _scores(verdicts: Sequence[Verdict]) -> Floats:
    return np.array([verdict.score for verdict in verdicts], dtype=np.float32)
