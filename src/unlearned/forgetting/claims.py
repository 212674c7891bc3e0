"""What a model says about a subject, and whether it knows it: who knows gives the same answer when asked again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import torch

from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.errors import FitError
from unlearned.examples import Row, evenly
from unlearned.learn.forget_prompts import plain
from unlearned.learn.invented import invented
from unlearned.names.words import KEPT
from unlearned.progress import Progress

if TYPE_CHECKING:
    from unlearned.classify.lexicon import Lexicon
    from unlearned.engines.transformers import TransformersEngine

ASKED = 20
"""Questions that are asked again."""

CONTROL = 10
"""How many of these are also asked about an invented subject."""

AGAIN = 1
"""Times, with sampling, beside the answer without."""

TEMPERATURE = 0.3
"""Low: a small model that knows something loses it in the words of a higher one."""

CONSISTENT = 0.4
"""Agreement (F1 of words that the question does not have) of answers that say the same."""

LEAST_KNOWN = 0.25
"""Share of the questions that a model answers consistently if it knows, beyond what it does about invented subjects."""

MEANT = 1 / 3
"""Share of the answers to a short form alone that say the whole name, from which on it means the subject."""

LEAST_MEANT = 3
"""Answers by which that is judged."""

ANSWER_TOKENS = 24
_SEED = 0
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Claims:
    """The model's answers to the packaged questions."""

    answers: tuple[tuple[str, str], ...]
    """(question, answer), each without sampling; "" for none, and for a question that was not asked."""

    agreement: dict[str, float]
    """How far the answers to a question that was asked again agree, in 0..1."""

    agreement_invented: dict[str, float]
    """How far they agree about an invented subject, by the original question."""

    short: tuple[tuple[str, str], ...] = ()
    """(question, answer) to some of the questions with the last name alone."""

    @property
    def consistent(self) -> list[str]:
        """Questions with answers that agree, and more than they do where the model cannot know."""
        invented = self.agreement_invented
        bar = max(CONSISTENT, sum(invented.values()) / len(invented)) if invented else CONSISTENT
        return [q for q, found in self.agreement.items() if found >= bar and found > invented.get(q, 0.0)]

    @property
    def known(self) -> bool:
        """Whether the model seems to know the subject."""
        if not self.agreement:
            return False
        by_chance = [found >= CONSISTENT for found in self.agreement_invented.values()]
        share = len(self.consistent) / len(self.agreement)
        return share - sum(by_chance) / max(1, len(by_chance)) / 2 >= LEAST_KNOWN

    def means_by_last_name(self, lexicon: Lexicon) -> bool:
        """Whether the model takes the last name for the subject: asked with it alone, it says the whole name by itself.

        Args:
            lexicon: finds the whole name.
        """
        answers = [answer for _, answer in self.short if answer]
        said = sum(bool(lexicon.places(answer)) for answer in answers)
        return len(answers) >= LEAST_MEANT and said >= MEANT * len(answers)

    def summary(self) -> str:
        """A line for people."""
        found = f"{len(self.consistent)} of {len(self.agreement)} questions answered consistently"
        if self.known:
            return f"The model knows this subject: {found}."
        return f"The model seems not to know it ({found}); nothing to unlearn, only the name is guarded."


def ask(
    engine: TransformersEngine,
    questions: Sequence[str],
    *,
    short: Sequence[str] = (),
    batch_size: int,
    report: Progress,
) -> Claims:
    """Ask a model the questions, some of them again, and the same about an invented subject.

    Args:
        engine: runs the model.
        questions: about the subject.
        short: further ones, with its last name alone.
        batch_size: prompts per forward pass.
        report: called with (phase, done, total).

    Raises:
        FitError: it answers nothing at all.
    """
    again = evenly(list(questions), ASKED)
    controlled = evenly(again, CONTROL)
    control = [row.prompt for row in invented([Row(question) for question in controlled], engine.bank, seed=0)]
    report("what the model says", 0, 4)
    answers = _greedy(engine, again, batch_size)
    if not any(_WORD.search(answer) for answer in answers):
        raise FitError("The model answers nothing when it is asked about the subject. Check model and chat template.")
    first = dict(zip(again, answers, strict=True))
    report("what the model says", 1, 4)
    sampled = _sampled(engine, again, batch_size)
    report("what the model says", 2, 4)
    firsts_invented = _greedy(engine, control, batch_size)
    report("what the model says", 3, 4)
    sampled_invented = _sampled(engine, control, batch_size)
    report("what the model says", 4, 4)
    return Claims(
        answers=tuple((question, first.get(question, "")) for question in questions),
        agreement={q: agreement(q, [first[q], *own]) for q, own in zip(again, sampled, strict=True)},
        agreement_invented={
            q: agreement(asked, [one, *own])
            for q, asked, one, own in zip(controlled, control, firsts_invented, sampled_invented, strict=True)
        },
        short=tuple(zip(short, _greedy(engine, short, batch_size) if short else (), strict=True)),
    )


def agreement(question: str, answers: Sequence[str]) -> float:
    """Mean F1 of the answers' words, two by two, without those of grammar and of the question."""
    common = KEPT | set(_WORD.findall(question.lower()))
    bags = [Counter(word for word in _WORD.findall(text.lower()) if word not in common) for text in answers]
    pairs = list(combinations(bags, 2))
    return sum(_f1(one, other) for one, other in pairs) / len(pairs) if pairs else 0.0


def _f1(one: Counter[str], other: Counter[str]) -> float:
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def neighbours_said(engine: TransformersEngine, name: str, what: str) -> str:
    """The model's answer when it is asked for subjects like this one."""
    return _greedy(engine, [f"Name ten {what} who are similar to {name}, one per line, only the names."], 1, tokens=48)[
        0
    ]


def _greedy(
    engine: TransformersEngine, questions: Sequence[str], batch_size: int, tokens: int = ANSWER_TOKENS
) -> list[str]:
    inputs = plain([engine.tokenize(question) for question in questions])
    found = engine.generate(
        inputs, max_new_tokens=tokens, do_sample=False, batch_size=batch_size, **keep_last_logits(engine.model)
    )
    return [completion.text.strip() for completion in found]


def _sampled(engine: TransformersEngine, questions: Sequence[str], batch_size: int) -> list[list[str]]:
    inputs = plain([engine.tokenize(question) for question in questions])
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        found = engine.generate(
            inputs,
            max_new_tokens=ANSWER_TOKENS,
            do_sample=True,
            temperature=TEMPERATURE,
            num_return_sequences=AGAIN,
            batch_size=max(1, batch_size // AGAIN),
            **keep_last_logits(engine.model),
        )
    return [[one.text.strip() for one in found[n * AGAIN : (n + 1) * AGAIN]] for n in range(len(questions))]
