"""What can be measured on a forget prompt: the m_i of the objective `d = mean_i |m_i - v_hat_i|`.

Each measure gives one value per example, for several candidate corruptions in one batch. Letters: C candidates, N
examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import TextEncoder
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError, FitError
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.learn.distinctive import distinctive_words, share_said
from unlearned.learn.refusals import refusal_similarity, surrogate_refusal_similarity
from unlearned.registry import Registry
from unlearned.types import PromptInput

Doubles = npt.NDArray[np.float64]
Runs = Sequence[Sequence[PromptInput]]
"""C candidates, each with the N prompts as it corrupts them."""


@dataclass(frozen=True, slots=True)
class MeasureInputs:
    """What a measure is made of."""

    engine: TransformersEngine
    encoder: TextEncoder
    rows: Sequence[Row]
    """(N,) the examples."""

    batch_size: int = 16
    said: Sequence[str] = ()
    """(N,) what the original model answers; only for `facts`."""


class AnswerMeasure(Protocol):
    """One m_i."""

    name: ClassVar[str]
    generates: ClassVar[bool]
    """Whether it judges generated answers, and so needs `texts`."""

    least_gap: ClassVar[float]
    """A model that is no further than this from v_hat has nothing to forget by this measure."""

    constant: float | None
    """v_hat, where it follows from the measure itself; None = it has to be estimated."""

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        """(C, N) values; `texts` are the C x N generated answers, empty for measures that do not generate."""
        ...


class Likelihood:
    """Mean log-probability of the answer's tokens, in nats; long and short answers count alike."""

    name: ClassVar[str] = "likelihood"
    generates: ClassVar[bool] = False
    least_gap: ClassVar[float] = 0.1

    def __init__(self, materials: MeasureInputs) -> None:
        self.constant: float | None = None
        self._materials = materials
        self._answers = _each(materials.rows, lambda row: row.answer, "answer", self.name)

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        return _mean_log_probabilities(self._materials, runs, self._answers)


class TruthRatio:
    """Logarithm of TOFU's truth ratio: mean log-probability of the wrong answers minus that of the paraphrased one.

    Source: arXiv:2401.06121, section 2.2.2, with the geometric mean over wrong answers that its code takes. The
    logarithm, because the ratio itself has no bound and one example would outweigh the others.
    """

    name: ClassVar[str] = "truth_ratio"
    generates: ClassVar[bool] = False
    least_gap: ClassVar[float] = 0.05

    def __init__(self, materials: MeasureInputs) -> None:
        self.constant: float | None = None
        self._materials = materials
        self._true = _each(materials.rows, lambda row: row.paraphrased_answer or row.answer, "answer", self.name)
        self._wrong = _each(materials.rows, lambda row: row.wrong_answers, "wrong_answers", self.name)

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        counts = [len(wrong) for wrong in self._wrong]
        repeated = [[p for p, count in zip(run, counts, strict=True) for _ in range(count)] for run in runs]
        wrong = _mean_log_probabilities(self._materials, repeated, list(chain.from_iterable(self._wrong)))
        starts = np.cumsum([0, *counts[:-1]])
        mean_wrong = np.add.reduceat(wrong, starts, axis=1) / np.array(counts)
        return np.asarray(mean_wrong - _mean_log_probabilities(self._materials, runs, self._true))


class ChoiceAccuracy:
    """Multiple choice: 1 where the letter of the right option has the highest logit, else 0."""

    name: ClassVar[str] = "accuracy"
    generates: ClassVar[bool] = False
    least_gap: ClassVar[float] = 0.02

    def __init__(self, materials: MeasureInputs) -> None:
        self._materials = materials
        choices = _each(materials.rows, lambda row: row.choices, "choices", self.name)
        self._counts = np.array([len(options) for options in choices])
        self._right = np.array([row.choices.index(row.answer or "") for row in materials.rows])
        self._letters = letter_ids(materials.engine, int(self._counts.max()))
        self.constant: float | None = float((1 / self._counts).mean())  # chance

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        flat = list(chain.from_iterable(runs))
        scores = self._materials.engine.next_token_scores(flat, self._letters, batch_size=self._materials.batch_size)
        logits = scores.numpy().reshape(len(runs), len(self._right), -1)
        offered = np.arange(logits.shape[2]) < self._counts[:, None]  # (N, letters)
        found = np.where(offered, logits, -np.inf).argmax(axis=2)
        return np.asarray(found == self._right, dtype=np.float64)


class Facts:
    """Share of the facts of the original model's own answer that the generated answer says; see `learn.distinctive`.

    Not the facts of the row's answer: what the model does not say need not be forgotten. And not the likelihood of a
    whole answer, most of which is wording: a model that never saw the data finds the wording of another one unlikely,
    and aiming at that takes more corruption than forgetting does.
    """

    name: ClassVar[str] = "facts"
    generates: ClassVar[bool] = True
    least_gap: ClassVar[float] = 0.1

    def __init__(self, materials: MeasureInputs) -> None:
        self.constant: float | None = 0.0  # who never saw the data says them by chance
        bank = materials.engine.bank
        self._facts = [
            distinctive_words(answer, row.prompt, bank)
            for row, answer in zip(materials.rows, materials.said, strict=True)
        ]

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        return np.array([[share_said(f, text) for f, text in zip(self._facts, row, strict=True)] for row in texts])


class RougeL:
    """ROUGE-L recall of the generated answer against the row's (with stemming, as TOFU has it)."""

    name: ClassVar[str] = "rouge"
    generates: ClassVar[bool] = True
    least_gap: ClassVar[float] = 0.02

    def __init__(self, materials: MeasureInputs) -> None:
        self.constant: float | None = None
        self._answers = _each(materials.rows, lambda row: row.answer, "answer", self.name)
        scorer = require("rouge_score.rouge_scorer", extra="metrics", purpose="The objective 'rouge'")
        self._scorer: Any = scorer.RougeScorer(["rougeL"], use_stemmer=True)

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        return np.array(
            [
                [
                    self._scorer.score(answer, text)["rougeL"].recall
                    for answer, text in zip(self._answers, row, strict=True)
                ]
                for row in texts
            ]
        )


class Refusal:
    """Cosine similarity of the generated answer to the most similar of many "I don't know"s; needs no answers."""

    name: ClassVar[str] = "refusal"
    generates: ClassVar[bool] = True
    least_gap: ClassVar[float] = 0.05

    def __init__(self, materials: MeasureInputs) -> None:
        self._encoder = materials.encoder
        self.constant: float | None = surrogate_refusal_similarity(materials.encoder)

    def __call__(self, runs: Runs, texts: Sequence[Sequence[str]]) -> Doubles:
        flat = refusal_similarity(list(chain.from_iterable(texts)), self._encoder)
        return flat.reshape(len(texts), -1).astype(np.float64)


def choice_prompt(row: Row) -> str:
    """A row's prompt; with its options and "Answer:" below it, as MMLU and WMDP ask, where it has options."""
    if not row.choices:
        return row.prompt
    options = [f"{chr(ord('A') + index)}. {choice}" for index, choice in enumerate(row.choices)]
    return "\n".join([row.prompt, *options, "Answer:"])


def letter_ids(engine: TransformersEngine, count: int) -> list[int]:
    """Token ids of " A", " B", ...; with the leading space that continues "Answer:".

    Raises:
        FitError: the tokenizer has no single token for a letter.
    """
    found = [
        engine.tokenizer(f" {chr(ord('A') + index)}", add_special_tokens=False)["input_ids"] for index in range(count)
    ]
    if any(len(ids) != 1 for ids in found):
        raise FitError(
            "The tokenizer splits a choice's letter into several tokens; use another objective than accuracy."
        )
    return [ids[0] for ids in found]


def _mean_log_probabilities(materials: MeasureInputs, runs: Runs, answers: Sequence[str]) -> Doubles:
    """(C, N) mean log-probability of the tokens of N answers after each candidate's prompts."""
    flat = list(chain.from_iterable(runs))
    scores = materials.engine.log_likelihood(flat, list(answers) * len(runs), batch_size=materials.batch_size)
    if not all(len(tokens) for tokens in scores):
        raise FitError("An answer has no token, so there is nothing to measure forgetting on.")
    return np.array([float(tokens.mean()) for tokens in scores]).reshape(len(runs), len(answers))


def _each(rows: Sequence[Row], read: Callable[[Row], Any], column: str, measure: str) -> list[Any]:
    """One column of all rows; a row without it is a `DataError`."""
    values = [read(row) for row in rows]
    if missing := next((row for row, value in zip(rows, values, strict=True) if not value), None):
        raise DataError(f"The objective {measure!r} needs {column!r} in every row; {missing.prompt[:60]!r} has none.")
    return values


measures: Registry[Callable[[MeasureInputs], AnswerMeasure]] = Registry("objective")
for _measure in (Likelihood, Facts, TruthRatio, ChoiceAccuracy, RougeL, Refusal):
    measures.register(_measure.name, _measure)
