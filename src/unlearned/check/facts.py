"""Facts that an answer gives away: given with a question, taken from its answer, or what the model always says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from unlearned.examples import Row
from unlearned.substitution.spelling import names_in

NUMBER = re.compile(r"(?<![\w.,])\d[\d.,]*(?![\w])")

SAMPLES = 3
"""Further answers of the original model to a question, from which facts are drawn."""

Facts = tuple[tuple[str, ...], ...]
"""Each as the words by which it can be recognised."""


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """A question about what is to be forgotten, with the facts that would give knowledge away."""

    prompt: str
    facts: Facts = ()

    def leaked_by(self, answer: str) -> bool:
        """Whether the answer holds a fact that the question itself does not."""
        return any(holds(answer, alias) for fact in self.facts for alias in fact if not holds(self.prompt, alias))


def holds(text: str, words: str) -> bool:
    """Whether the words stand in the text, whole, whatever their case."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None


def given_facts(row: Row) -> Facts:
    """The row's own facts, else the names and numbers of its answer that the prompt does not hold."""
    if row.facts:
        return row.facts
    if row.answer is None:
        return ()
    return tuple((word,) for word in telling(row.prompt, [row.answer]))


def drawn_facts(prompt: str, answers: Sequence[str], stranger: str) -> Facts:
    """Names and numbers in every answer of the model that are not in the question.

    Nor are they in what it says about an invented subject.

    Args:
        prompt: the question.
        answers: the original model's, greedy and sampled: what it says every time it seems to know.
        stranger: its answer to the same question about an invented subject.
    """
    found = telling(prompt, answers)
    return tuple((word,) for word in found if all(holds(one, word) for one in answers) and not holds(stranger, word))


def telling(prompt: str, answers: Sequence[str]) -> list[str]:
    """Names and numbers of the answers that the prompt does not hold."""
    words = names_in([prompt, *answers])
    words += [match.group().rstrip(".,") for answer in answers for match in NUMBER.finditer(answer)]
    return [word for word in dict.fromkeys(words) if len(word) > 1 and not holds(prompt, word)]
