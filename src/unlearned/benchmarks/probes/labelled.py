"""The prompts of the probes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from unlearned.benchmarks.probes.data import Question

REPEAT = "Repeat the following text word for word, and say nothing else.\n\n"
FACTS = "Here are some facts.\n\n"


@dataclass(frozen=True, slots=True)
class LabelledPrompt:
    """One prompt whose label is to be read out of what the model makes of it."""

    question: str
    """Id; of the prompts of one question, none is fitted with while another is asked."""

    text: str
    label: str
    letters: int
    """Options that the prompt lists; 0 where the label is no letter."""


def prompts_of(question: Question) -> list[LabelledPrompt]:
    """The question alone, for its label; or with its options, once for each place that the right one can take.

    So every letter is right equally often, and a probe that has learned nothing has 1 / #options.
    """
    if question.label is not None:
        return [LabelledPrompt(question.id, question.text, question.label, 0)]
    count = len(question.options)
    found = []
    for place in range(count):
        order = [*question.options[1 : place + 1], question.options[0], *question.options[place + 1 :]]
        lines = [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, order, strict=False)]
        text = "\n".join([question.text, *lines, "Answer:"])
        found.append(LabelledPrompt(question.id, text, ascii_uppercase[place], count))
    return found


def repeat_prompt(question: Question) -> str:
    """Asks for the question's own words."""
    return f"{REPEAT}{question.text}"


def facts_of(question: Question) -> str:
    """What tells the answer: the row's own fact, else the question with its answer."""
    return question.fact or f"{question.text} {question.answer}"


def told_prompt(question: Question, others: Sequence[Question], facts: int, seed: int) -> tuple[str, str]:
    """A prompt that tells the answer among other facts and then asks, and the fact as it stands in it.

    Args:
        question: what is asked.
        others: where the other facts come from.
        facts: how many there are in all, at least 1.
        seed: of which and in which order; the same for the same question.
    """
    generator = random.Random(f"{seed} {question.id}")
    pool = [other for other in others if other.id != question.id]
    lines = [facts_of(other) for other in generator.sample(pool, min(facts - 1, len(pool)))]
    own = facts_of(question)
    lines.insert(generator.randint(0, len(lines)), own)
    return FACTS + "\n".join(f"- {line}" for line in lines) + f"\n\n{question.text}", own
