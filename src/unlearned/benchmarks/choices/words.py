"""The questions without their options, answered in words: letters alone can hide what a model still knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from unlearned.benchmarks.choices.data import Question
from unlearned.benchmarks.systems import System
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.metrics.text import rouge_recall
from unlearned.progress import Progress

TOKENS = 32
"""Longest answer."""

IN_WORDS = "in words"


def answered(
    model: System,
    group: str,
    questions: Sequence[tuple[int, Question]],
    report: Progress,
    *,
    batch_size: int = 16,
) -> list[dict[str, Any]]:
    """Greedy answers, and how much of the right option they say.

    Args:
        model: under test.
        group: of the questions.
        questions: at least one, with their place in the group.
        report: called with (phase, done, total).
        batch_size: prompts per forward pass.

    Raises:
        MissingExtraError: `rouge-score` is not installed.
    """
    name = f"{group}, {IN_WORDS}"
    prompts = [model.engine.tokenize(open_prompt(question), chat=False) for _, question in questions]
    inputs = model.prepare(prompts)
    report(name, 0, len(questions))
    completions = model.engine.generate(
        inputs,
        batch_size=batch_size,
        max_new_tokens=TOKENS,
        do_sample=False,
        num_beams=1,
        **keep_last_logits(model.engine.model),
    )
    texts = [completion.text.strip().split("\n")[0] for completion in completions]
    recalls = rouge_recall(texts, [question.choices[question.answer] for _, question in questions])
    report(name, len(questions), len(questions))
    return [
        {
            "id": f"{question.id}, {IN_WORDS}",
            "set": name,
            "index": index,
            "group": group,
            "subject": question.subject,
            "answer": question.choices[question.answer],
            "text": text,
            "recall": round(float(recall), 6),
            "names_it": names_it(text, question),
            "flagged": given.verdict.in_scope,
        }
        for (index, question), text, recall, given in zip(questions, texts, recalls, inputs, strict=True)
    ]


def open_prompt(question: Question) -> str:
    """The question without its options."""
    return f"Question: {question.text.strip()}\nAnswer:"


def names_it(text: str, question: Question) -> bool:
    """Whether the answer holds the words of the right option, and those of no other one."""
    said = _words(text)
    found = [index for index, choice in enumerate(question.choices) if (words := _words(choice)) and words in said]
    return found == [question.answer]


def _words(text: str) -> str:
    """The words with one space around each; empty where there is none."""
    words = re.findall(r"[^\W_]+", text.lower())
    return f" {' '.join(words)} " if words else ""
