"""What is asked of a model on TOFU: the four sets, paraphrased forget questions, and two questions in one prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearned.benchmarks.tofu.config import EvaluationConfig
from unlearned.benchmarks.tofu.data import TofuData, TofuRow
from unlearned.benchmarks.tofu.prompts import paired

PARAPHRASED, PAIRED = "paraphrased", "paired"


@dataclass(frozen=True, slots=True)
class TofuQuestion:
    """What is asked, and what the answer is compared with."""

    id: str
    text: str
    truths: tuple[str, ...]
    """One true answer; for a pair the forget question's, then the retain question's."""

    answers: tuple[str, ...] = ()
    """Scored: the answer, the paraphrased one, the wrong ones. None for extra questions."""

    known: str = ""
    """Words that give nothing away, besides those of the question itself."""


def questions(data: TofuData, config: EvaluationConfig) -> dict[str, list[TofuQuestion]]:
    """Everything that is asked, by set."""
    asked = {name: [_question(row) for row in rows[: config.ds_size]] for name, rows in data.sets().items()}
    forget, retain = data.forget[: config.ds_size], data.retain
    asked[PARAPHRASED] = [
        TofuQuestion(row.id, row.paraphrased_question, (row.answer,)) for row in forget if row.paraphrased_question
    ]
    spread = np.linspace(0, len(retain) - 1, num=min(config.pairs, len(forget))).round().astype(int)
    partners = zip(forget[: config.pairs], (retain[index] for index in spread), strict=False)
    asked[PAIRED] = [
        TofuQuestion(
            f"{row.id}+{other.id}" if first else f"{other.id}+{row.id}",
            paired(row.question, other.question, forget_first=first),
            (row.answer, other.answer),
            known=other.answer,
        )
        for row, other in partners
        for first in (True, False)
    ]
    return asked


def _question(row: TofuRow) -> TofuQuestion:
    return TofuQuestion(row.id, row.question, (row.answer,), (row.answer, row.paraphrased_answer, *row.wrong_answers))
