"""What is asked of a model on TOFU: the four sets, paraphrased forget questions, and two questions in one prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearned.benchmarks.tofu.data import TofuData, TofuRow
from unlearned.benchmarks.tofu.prompts import paired
from unlearned.errors import ConfigError

PARAPHRASED, PAIRED = "paraphrased", "paired"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationConfig:
    """What is measured of a model."""

    ds_size: int | None = 300
    """The first rows of each set; None = all."""

    max_new_tokens: int = 200
    """Longest answer. Published TOFU runs stop at 200 tokens with the prompt, open-unlearning after 200 new ones."""

    batch_size: int = 64
    """Answers that are generated together."""

    recheck: int = 16
    """Of the rows of a set that an unlearner leaves unchanged, how many are computed anew nevertheless."""

    pairs: int = 40
    """Paired prompts, each in both orders."""

    seed: int = 0
    """Of the rows that are computed anew."""

    def __post_init__(self) -> None:
        if self.ds_size is not None and self.ds_size < 1:
            raise ConfigError(f"ds_size={self.ds_size}: must be at least 1.")
        if min(self.max_new_tokens, self.batch_size, self.pairs) < 1 or self.recheck < 0:
            raise ConfigError("max_new_tokens, batch_size and pairs must be at least 1, recheck at least 0.")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what the answer is compared with."""

    id: str
    text: str
    truths: tuple[str, ...]
    """One true answer; for a pair the forget question's, then the retain question's."""

    answers: tuple[str, ...] = ()
    """Scored: the answer, the paraphrased one, the wrong ones. None for extra questions."""

    known: str = ""
    """Words that give nothing away, besides those of the question itself."""


def questions(data: TofuData, config: EvaluationConfig) -> dict[str, list[Question]]:
    """Everything that is asked, by set."""
    asked = {name: [_question(row) for row in rows[: config.ds_size]] for name, rows in data.sets().items()}
    forget, retain = data.forget[: config.ds_size], data.retain
    asked[PARAPHRASED] = [
        Question(row.id, row.paraphrased_question, (row.answer,)) for row in forget if row.paraphrased_question
    ]
    spread = np.linspace(0, len(retain) - 1, num=min(config.pairs, len(forget))).round().astype(int)
    partners = zip(forget[: config.pairs], (retain[index] for index in spread), strict=False)
    asked[PAIRED] = [
        Question(
            f"{row.id}+{other.id}" if first else f"{other.id}+{row.id}",
            paired(row.question, other.question, forget_first=first),
            (row.answer, other.answer),
            known=other.answer,
        )
        for row, other in partners
        for first in (True, False)
    ]
    return asked


def _question(row: TofuRow) -> Question:
    return Question(row.id, row.question, (row.answer,), (row.answer, row.paraphrased_answer, *row.wrong_answers))
