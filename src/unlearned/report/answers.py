"""Which answers are shown, and the questions in pieces: corrupted or not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearned.report.run import HARMLESS, SETS, Model, ReportedAnswer, ReportedRun

FIRST, WORST, DRAWN, OTHERS = 2, 3, 3, 3
"""How many are shown of each kind."""

Texts = Mapping[str, Mapping[str, Sequence[ReportedAnswer]]]
"""Model -> set -> answers."""


@dataclass(frozen=True, slots=True)
class AnswerExample:
    """One question and what the three models say."""

    why: str
    pieces: tuple[tuple[str, bool], ...]
    """The question, each piece with whether it was corrupted."""

    truth: str
    start: ReportedAnswer
    retained: ReportedAnswer
    unlearned: ReportedAnswer


def examples(run: ReportedRun, model: Model, texts: Texts, *, seed: int = 0) -> list[AnswerExample]:
    """The first forget questions, the worst leaks, some that are drawn; leaks elsewhere; false alarms.

    Args:
        run: the run.
        model: an unlearner of it.
        texts: of `read_answers`.
        seed: of those that are drawn.
    """
    own = texts[model.name]
    chosen: dict[tuple[str, int], list[str]] = {}
    forget = own["forget"]
    for index in range(min(FIRST, len(forget))):
        chosen.setdefault(("forget", index), []).append("first")
    for index in _worst(forget):
        chosen.setdefault(("forget", index), []).append("worst leak")
    for index in _drawn(len(forget), seed):
        chosen.setdefault(("forget", index), []).append("drawn")
    for index in _worst(own.get("paraphrased", ()))[:1]:
        chosen["paraphrased", index] = [f"worst leak among {SETS['paraphrased']}"]
    for index in range(min(2, len(own.get("paired", ())))):
        chosen["paired", index] = ["pair"]
    wrong = [(name, i) for name in HARMLESS for i, answer in enumerate(own[name]) if answer.flagged]
    for name, index in wrong[:OTHERS]:
        chosen[name, index] = [f"false alarm, {SETS[name]}"]
    return [
        AnswerExample(
            ", ".join(why),
            pieces(own[name][index]),
            " / ".join(own[name][index].truths),
            texts[run.start.name][name][index],
            texts[run.retained.name][name][index],
            own[name][index],
        )
        for (name, index), why in chosen.items()
    ]


def _drawn(count: int, seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(count), min(DRAWN, count)))


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One forget question and what every model says."""

    question: str
    truth: str
    said: tuple[tuple[str, ReportedAnswer], ...]
    """(name of a model, its answer): start, retained, then the unlearners."""


def side_by_side(run: ReportedRun, labelled: Mapping[str, Model], texts: Texts, *, seed: int = 0) -> list[SideBySide]:
    """The first forget questions and some that are drawn, the same ones for all models.

    Args:
        run: the run.
        labelled: what an unlearner is called -> one of its models.
        texts: of `read_answers`.
        seed: of those that are drawn.
    """
    models = {"start": run.start, "retained": run.retained, **labelled}
    own = {label: texts[model.name]["forget"] for label, model in models.items()}
    count = min(map(len, own.values()))
    return [
        SideBySide(
            own["start"][index].question,
            " / ".join(own["start"][index].truths),
            tuple((label, answers[index]) for label, answers in own.items()),
        )
        for index in dict.fromkeys([*range(min(FIRST, count)), *_drawn(count, seed)])
    ]


def pieces(answer: ReportedAnswer) -> tuple[tuple[str, bool], ...]:
    """The question in pieces, each with whether its tokens were corrupted.

    The template around it is left out where the question can be found in the prompt, and nothing of it is corrupted.
    """
    spans = answer.corrupted or ()
    start = answer.prompt.rfind(answer.question)
    end = start + len(answer.question)
    if start < 0 or any(last > end or first < start for first, last in _worded(answer.prompt, spans)):
        start, end = 0, len(answer.prompt)
    cuts = sorted({start, end} | {cut for span in spans for cut in span if start <= cut <= end})
    return tuple(
        (answer.prompt[a:b], any(first <= a and b <= last for first, last in spans))
        for a, b in zip(cuts, cuts[1:], strict=False)
    )


def _worded(prompt: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without the spaces at their ends, which a token may begin with."""
    found = []
    for first, last in spans:
        text = prompt[first:last]
        found.append((first + len(text) - len(text.lstrip()), last - (len(text) - len(text.rstrip()))))
    return found


def _worst(answers: Sequence[ReportedAnswer]) -> list[int]:
    leaking = [index for index, answer in enumerate(answers) if answer.leak > 0]
    return sorted(leaking, key=lambda index: -answers[index].leak)[:WORST]
