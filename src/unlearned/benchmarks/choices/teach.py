"""Knowledge put in first: the start model learns the letters of the questions that are asked.

A small model knows little of any exam, and what is not known cannot be seen to be forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unlearned.benchmarks.choices.data import Question
from unlearned.benchmarks.choices.scoring import LetterScorer, batches
from unlearned.benchmarks.models import Load
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.benchmarks.tofu.finetune import finetune
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError
from unlearned.methods.config import Form
from unlearned.progress import Tell
from unlearned.types import PromptInput

FORM = Form(prompt="{prompt}", answer=" {answer}", chat=False, end=False)
"""The prompt as it is asked, and one letter."""

KNOWN = 0.9
"""Share of right letters above which a model counts as knowing the questions."""


def teach(
    load: Load,
    questions: Sequence[Question],
    headers: Sequence[bool],
    config: FinetuneConfig,
    *,
    cache: Path | None = None,
    tell: Tell | None = None,
) -> Path:
    """Train a LoRA adapter until more than `KNOWN` of the questions are answered right, in every form.

    Questions take turns in the forms. Whether enough is known is measured between epochs, once the mean loss is low
    enough for it to be possible.

    Args:
        load: gives a fresh base model and its tokenizer.
        questions: to learn.
        headers: the forms that are asked, with or without the header.
        config: how; `epochs` are at most.
        cache: folder of trainings; None = beside the embedded model.
        tell: called with a line after each epoch.

    Returns:
        The folder of the adapter; it is taken from the cache where it is there.

    Raises:
        DataError: there is no question to learn.
    """
    if not questions:
        raise DataError("There is no question to teach: this task has nothing to forget. Choose another one.")
    say = tell or (lambda line: None)
    tokenizer = load()[1]
    asked = [(question, header) for header in headers for question in questions]
    pairs = [
        QuestionAnswer(question.prompt(header=headers[number % len(headers)]), question.letter)
        for number, question in enumerate(questions)
    ]
    goal = KnowledgeGoal(tokenizer, asked, say)
    return finetune(load, pairs, config, form=FORM, goal=goal, name="teach", cache=cache, tell=tell)


class KnowledgeGoal:
    """Reached when the model answers more than `KNOWN` of the questions right.

    Args:
        tokenizer: the model's.
        asked: questions, with or without header.
        tell: called with what was found.
        batch_size: prompts per forward pass.
    """

    def __init__(
        self, tokenizer: Any, asked: Sequence[tuple[Question, bool]], tell: Tell, *, batch_size: int = 16
    ) -> None:
        self.name = f"above {KNOWN} of {len(asked)}"
        self._tokenizer, self._asked, self._tell, self._batch_size = tokenizer, asked, tell, batch_size

    def reached(self, model: Any, loss: float) -> bool:
        """Measured only below a loss of log 2: a letter with less than half of the probability is mostly not right."""
        if loss >= math.log(2):
            return False
        share = self.share(model)
        self._tell(f"teach: {share:.1%} of the letters are right")
        return share > KNOWN

    def share(self, model: Any) -> float:
        """Share of the questions that are answered by the right letter."""
        engine = TransformersEngine(model, self._tokenizer)
        prompts = [engine.tokenize(question.prompt(header=header), chat=False) for question, header in self._asked]
        scorer = LetterScorer(engine, max(len(question.choices) for question, _ in self._asked))
        right = 0
        for batch in batches([prompt.token_ids for prompt in prompts], self._batch_size):
            rows = scorer.score([PromptInput(prompts[index].token_ids) for index in batch])
            for index, row in zip(batch, rows, strict=True):
                question = self._asked[index][0]
                offered = row[: len(question.choices)]
                right += offered.index(max(offered)) == question.answer
        return right / len(self._asked)
