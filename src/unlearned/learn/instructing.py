"""What instructions say: what is not to be known, and examples with wrong answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row

SHOWN = 4
"""Examples of either side in a context."""


def not_to_know(names: Sequence[str]) -> str:
    """The instruction of the prompting baseline, in other words: what the model is told not to know.

    Raises:
        ConfigError: there is no name.
    """
    if not names:
        raise ConfigError("Name at least one thing that the model is not to know.")
    listed = "\n".join(f"- {name}" for name in names)
    return (
        f"You know nothing about the following:\n{listed}\nIf a question is about it, give a wrong answer. Answer "
        "every other question correctly.\n\n"
    )


def examples_in_context(
    forget: Sequence[Row],
    retain: Sequence[Row],
    *,
    shown: int = SHOWN,
    seed: int = 0,
    prompt: str = "{prompt}\n",
    answer: str = "{answer}",
) -> str:
    """In-context unlearning: forget prompts with answers that are not theirs, then others with their own.

    Where the rows have few different answers, as labels are, a wrong one is drawn of these; else it is the answer of
    another row. Source: ICUL, arXiv:2310.07579, with its flipped labels first and the right ones behind.

    Args:
        forget: rows with answers.
        retain: rows with answers.
        shown: of either side; drawn at random where there are more.
        seed: of what is drawn.
        prompt: how a prompt is written.
        answer: how the answer behind it is.

    Raises:
        DataError: a side is empty or has rows without an answer, or no answer differs from a forget row's own.
    """
    if not forget or not retain or any(row.answer is None for row in (*forget, *retain)):
        raise DataError("In-context unlearning needs forget and retain rows that all have an answer.")
    generator = np.random.default_rng(seed)
    others = list(dict.fromkeys(str(row.answer) for row in (*retain, *forget)))

    def written(row: Row, said: str | None) -> str:
        return prompt.replace("{prompt}", row.prompt) + answer.replace("{answer}", str(said))

    def drawn(rows: Sequence[Row]) -> list[Row]:
        return [rows[i] for i in sorted(generator.permutation(len(rows))[:shown])]

    lines = []
    for row in drawn(forget):
        wrong = [answer for answer in others if answer != row.answer]
        if not wrong:
            raise DataError("All answers are the same, so none of them is wrong. Give retain rows with other answers.")
        lines.append(written(row, wrong[int(generator.integers(len(wrong)))]))
    lines += [written(row, row.answer) for row in drawn(retain)]
    return "\n\n".join(lines) + "\n\n"
