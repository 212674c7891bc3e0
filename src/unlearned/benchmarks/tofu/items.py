"""What a model did with a question, as it is kept; and all of it in TOFU's log format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unlearned.benchmarks.tofu.log import SETS, Generated, SetLog, TofuLog
from unlearned.benchmarks.tofu.prepared import PreparedQuestion
from unlearned.benchmarks.tofu.questions import TofuQuestion
from unlearned.benchmarks.tofu.scoring import Losses
from unlearned.engines.base import Completion
from unlearned.learn.distinctive import named_facts, share_said
from unlearned.learn.fluency import is_degenerate
from unlearned.metrics.text import rouge_recall, unique_token_ratio

_WORDS = re.compile(r"\w+")
_COMMON = frozenset(
    "a an and are as at be been being but by did do does for from had has have he her his how i in into is it its not "
    "of on or she so some such than that the their them they this through to was were what when where which who whom "
    "whose why will with you your author s".split()
)


@dataclass(frozen=True, slots=True)
class Item:
    """What one model did with one question."""

    id: str
    question: str
    prompt: str
    truths: tuple[str, ...]
    flagged: bool
    score: float
    """p(forget) of the detector; 0 where there is none."""

    generated: str
    rouge: tuple[float, ...]
    """ROUGE-L recall against each of `truths`."""

    rouge1: tuple[float, ...]
    leak: float
    """Share of the first true answer's words, without common ones and those of the question, that were generated."""

    tokens: int
    """Generated."""

    unique: float
    """Share of different ones among them."""

    degenerate: bool
    """Nothing was said, or a few words over and over."""

    losses: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    """Target tokens behind each loss."""

    corrupted: tuple[tuple[int, int], ...] = ()
    """Characters `[start, end)` of `prompt` whose tokens were corrupted; neighbours are joined."""

    facts: float | None = None
    """Share of the names, dates and codes of the first true answer, but for those of the question, that were generated;
    None where it has none."""

    computed: bool = True
    """False: all of it is taken over from the start model."""

    identical: bool | None = None
    """Whether answer and losses of an unchanged prompt that was computed anew are the start model's."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Item:
        values: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in data.items()}
        values["corrupted"] = tuple((start, end) for start, end in values["corrupted"])
        return cls(**values)


Evaluation = dict[str, list[Item]]
"""Name of the set -> its items: the four of the log, `paraphrased` and `paired`."""


def evaluation_json(evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """An evaluation as JSON has it."""
    return {name: [asdict(item) for item in items] for name, items in evaluation.items()}


def evaluation_from_json(data: Mapping[str, Any]) -> Evaluation:
    """The way back."""
    return {name: [Item.from_json(item) for item in items] for name, items in data.items()}


def as_log(evaluation: Evaluation) -> TofuLog:
    """An evaluation in TOFU's published form."""
    return TofuLog(**{name: _set_log(evaluation[name]) for name in SETS})


def leak(generated: str, truth: str, known: str) -> float:
    """Share of the true answer's words that the question does not hold and that were generated; 0 if it has none.

    Common words do not count: what is left are names, titles, places, dates, professions.
    """
    wanted = _words(truth) - _words(known) - _COMMON
    return len(wanted & _words(generated)) / len(wanted) if wanted else 0.0


def made_item(one: PreparedQuestion, row: TofuQuestion, written: Completion, losses: Losses) -> Item:
    """Make an item from what the model wrote and how probable the answers were."""
    texts = [written.text] * len(row.truths)
    return Item(
        id=row.id,
        question=row.text,
        prompt=one.prompt.text,
        truths=row.truths,
        flagged=one.input.verdict.in_scope,
        score=float(one.input.verdict.score),
        generated=written.text,
        rouge=tuple(rouge_recall(texts, row.truths).tolist()),
        rouge1=tuple(rouge_recall(texts, row.truths, variant="rouge1").tolist()),
        leak=leak(written.text, row.truths[0], f"{row.text} {row.known}"),
        tokens=len(written.token_ids),
        unique=unique_token_ratio(written.token_ids),
        degenerate=is_degenerate(written),
        losses=losses.means,
        counts=losses.tokens,
        corrupted=_corrupted(one),
        facts=_facts(written.text, row),
    )


def _facts(generated: str, row: TofuQuestion) -> float | None:
    wanted = named_facts(row.truths[0], f"{row.text} {row.known}")
    return share_said(wanted, generated) if wanted else None


def _corrupted(one: PreparedQuestion) -> tuple[tuple[int, int], ...]:
    if one.input.positions is None:
        return ()
    joined: list[tuple[int, int]] = []
    for start, end in one.prompt.offsets[one.input.positions.numpy()].tolist():
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        elif start < end:
            joined.append((start, end))
    return tuple(joined)


def _set_log(items: Sequence[Item]) -> SetLog:
    losses = np.array([item.losses for item in items], dtype=np.float64)
    counts = np.array([item.counts for item in items], dtype=np.int64)
    return SetLog(
        ids=np.arange(len(items)),
        answer_losses=losses[:, 0],
        paraphrased_losses=losses[:, 1],
        wrong_losses=losses[:, 2:],
        rouge_recall=np.array([item.rouge[0] for item in items]),
        rouge1_recall=np.array([item.rouge1[0] for item in items]),
        answer_tokens=counts[:, 0],
        paraphrased_tokens=counts[:, 1],
        wrong_tokens=counts[:, 2:],
        generated=tuple(Generated(item.prompt, item.generated, item.truths[0]) for item in items),
    )


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(text)}
