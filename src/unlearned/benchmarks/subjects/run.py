"""The run behind `unlearned bench subjects`: artifacts made by `forget` from names, asked questions written apart."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from unlearned.demo.concepts import general_prompts
from unlearned.examples import evenly
from unlearned.forgetting.run import MAX_EXAMPLES, fit_prompts, write
from unlearned.forgetting.subject import as_subject
from unlearned.learn.config import FitConfig
from unlearned.metrics.estimate import exact_interval
from unlearned.names.forms import Kind
from unlearned.progress import Progress
from unlearned.types import text_only

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearned.unlearners.eco import ECO

STRENGTH = 1.0
"""Given instead of learned where only detection is measured."""


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """A packaged subject, and questions that `forget` has not seen."""

    names: tuple[str, ...]
    kind: Kind
    named: tuple[str, ...]
    """About the subject, with a form of its name."""

    content: tuple[str, ...]
    """About it without a name: found only as far as the model's own claims lead there."""

    close: tuple[str, ...]
    """About others of the same kind."""


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """What one artifact flags."""

    subject: str
    known: bool
    """The model seems to know the subject."""

    missed: tuple[str, ...]
    named: int
    found_by_content: int
    content: int
    close_flagged: tuple[str, ...]
    close: int
    unrelated_flagged: tuple[str, ...]
    unrelated: int
    seconds: float
    """Time of `forget`, without loading the model."""


def known_subjects() -> list[KnownSubject]:
    """The packaged subjects."""
    text = files("unlearned").joinpath("benchmarks/subjects/data/subjects.jsonl").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        data = json.loads(line)
        kind: Kind = data.pop("kind")
        found.append(KnownSubject(kind=kind, **{name: tuple(values) for name, values in data.items()}))
    return found


def measure_subjects(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    subjects: Sequence[KnownSubject] | None = None,
    most: int | None = None,
    unrelated: Sequence[str] = (),
    learn_strength: bool = False,
    on_progress: Progress | None = None,
) -> list[SubjectRow]:
    """Make an artifact from each name, and count what it flags.

    Args:
        model: the original model, asked what it knows.
        tokenizer: its tokenizer.
        subjects: by default the packaged ones.
        most: subjects for which artifacts are made, evenly thinned out; the others are only asked about. None = all.
        unrelated: further prompts that are about none of them; the questions about the others count as such, too.
        learn_strength: let `forget` learn the strength as it does for users, so that its seconds are theirs. It
            changes nothing in detection.
        on_progress: called with (phase, done, total).
    """
    report = on_progress or (lambda phase, done, total: None)
    subjects = known_subjects() if subjects is None else subjects
    rows, chosen = [], evenly(subjects, most)
    for done, subject in enumerate(chosen):
        report("subjects", done, len(chosen))
        start = time.perf_counter()
        own = as_subject(subject.names, kind=subject.kind)
        written = write(model, tokenizer, own, on_progress=report)
        config = FitConfig(seed=0, max_examples=MAX_EXAMPLES, strength=None if learn_strength else STRENGTH)
        artifact = fit_prompts(model, tokenizer, written.subject, written.prompts, scope="subject", config=config)
        seconds = time.perf_counter() - start
        unlearner = artifact.unlearner()
        others = [
            prompt
            for other in subjects
            if other is not subject
            for prompt in (*other.named, *other.content, *other.close)
        ]
        apart = [prompt for prompt in (*others, *general_prompts(), *unrelated) if prompt not in subject.close]
        flagged = _flagged(unlearner, subject.named)
        rows.append(
            SubjectRow(
                subject=subject.names[0],
                known=written.known,
                missed=tuple(prompt for prompt in subject.named if prompt not in flagged),
                named=len(subject.named),
                found_by_content=len(_flagged(unlearner, subject.content)),
                content=len(subject.content),
                close_flagged=tuple(_flagged(unlearner, subject.close)),
                close=len(subject.close),
                unrelated_flagged=tuple(_flagged(unlearner, apart)),
                unrelated=len(apart),
                seconds=round(seconds, 1),
            )
        )
    report("subjects", len(chosen), len(chosen))
    return rows


def _flagged(unlearner: ECO, prompts: Sequence[str]) -> list[str]:
    verdicts = unlearner.classify([text_only(prompt) for prompt in prompts])
    return [prompt for prompt, verdict in zip(prompts, verdicts, strict=True) if verdict.in_scope]


def as_markdown(rows: Sequence[SubjectRow]) -> str:
    """The rows as a table, and what all of them together come to, with exact 95 % intervals."""
    lines = [
        "| subject | known | named, missed | by content, found | close, flagged | unrelated, flagged | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.subject} | {'yes' if row.known else 'no'} | {len(row.missed)}/{row.named} | "
        f"{row.found_by_content}/{row.content} | {len(row.close_flagged)}/{row.close} | "
        f"{len(row.unrelated_flagged)}/{row.unrelated} | {row.seconds} |"
        for row in rows
    ]
    sums = [
        (sum(len(row.missed) for row in rows), sum(row.named for row in rows)),
        (sum(row.found_by_content for row in rows), sum(row.content for row in rows)),
        (sum(len(row.close_flagged) for row in rows), sum(row.close for row in rows)),
        (sum(len(row.unrelated_flagged) for row in rows), sum(row.unrelated for row in rows)),
    ]
    cells = []
    for count, total in sums:
        if not total:  # authors have no close questions
            cells.append("none asked")
            continue
        low, high = exact_interval(count, total)
        cells.append(f"{count}/{total} ({low:.1%} to {high:.1%})")
    lines.append(f"| all | | {' | '.join(cells)} | {max((row.seconds for row in rows), default=0)} at most |")
    wrong = [f"- missed: {prompt}" for row in rows for prompt in row.missed]
    wrong += [f"- flagged for {row.subject}: {p}" for row in rows for p in (*row.close_flagged, *row.unrelated_flagged)]
    return "\n".join([*lines, *(["", *wrong] if wrong else [])]) + "\n"
