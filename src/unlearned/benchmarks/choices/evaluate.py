"""One model on all questions: the letter it prefers, and what it says in its own words.

What an unlearner hands on unchanged is the start model's own input, so the start model's numbers are taken over.
Batches that hold a changed prompt are computed anew, and one drawn batch without any: what is unchanged in them is
compared with the start model's logits bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearned.benchmarks.asking import drawn, is_changed
from unlearned.benchmarks.choices.data import LETTERS, Question
from unlearned.benchmarks.choices.scoring import LetterScorer, batches
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import System
from unlearned.progress import Progress
from unlearned.types import Prompt, PromptInput

HEADERS = {True: "header", False: "no header"}
"""How a set is called after its group: "forget, no header"."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions that are asked in one form; batches are made within one set."""

    group: str
    header: bool
    questions: Sequence[tuple[int, Question]]
    """Questions with their place in the set."""

    @property
    def name(self) -> str:
        return f"{self.group}, {HEADERS[self.header]}"


class Examiner:
    """Asks models, the start model first.

    Args:
        asked: the sets.
        batch_size: prompts per forward pass.
        recheck: unchanged questions of each set that are computed anew.
        leading_space: whether letters are scored with the space in front of them.
    """

    def __init__(
        self,
        asked: Sequence[QuestionSet],
        *,
        batch_size: int = 16,
        recheck: int = 16,
        leading_space: bool = True,
    ) -> None:
        self.asked, self._batch_size, self._recheck = asked, batch_size, recheck
        self._leading_space = leading_space
        self.start: Mapping[tuple[str, int], Item] | None = None
        """(set, index) -> item of the start model."""

    def __call__(self, model: System, report: Progress) -> list[dict[str, Any]]:
        """The items of one model."""
        widest = max(len(question.choices) for own in self.asked for _, question in own.questions)
        scorer = LetterScorer(model.engine, widest, leading_space=self._leading_space)
        return [item for own in self.asked for item in self._set(model, scorer, own, report)]

    def _set(self, model: System, scorer: LetterScorer, own: QuestionSet, report: Progress) -> list[dict[str, Any]]:
        texts = [question.prompt(header=own.header) for _, question in own.questions]
        prompts = [model.engine.tokenize(text, chat=False) for text in texts]
        inputs = model.prepare(prompts)
        before = None
        if self.start is not None and not model.own_weights:
            before = [self.start[own.name, index] for index, _ in own.questions]
        scores = self._scores(scorer, prompts, inputs, own.name, report, everything=before is None)
        items = []
        for place, ((index, question), given) in enumerate(zip(own.questions, inputs, strict=True)):
            logits = scores.get(place)
            was = None if before is None else before[place]["logits"]
            changed = is_changed(prompts[place], given)
            found = logits if logits is not None else was
            assert found is not None, "a question is either computed or taken over"
            offered = list(found[: len(question.choices)])
            said = offered.index(max(offered))
            items.append(
                {
                    "id": f"{question.id}, {HEADERS[own.header]}",
                    "set": own.name,
                    "index": index,
                    "group": own.group,
                    "header": own.header,
                    "subject": question.subject,
                    "options": len(question.choices),
                    "answer": question.letter,
                    "said": LETTERS[said],
                    "logits": list(found),
                    "correct": said == question.answer,
                    "flagged": given.verdict.in_scope,
                    "score": round(float(given.verdict.score), 6),
                    "computed": logits is not None,
                    "identical": None if was is None or changed or logits is None else list(logits) == list(was),
                }
            )
        return items

    def _scores(
        self,
        scorer: LetterScorer,
        prompts: Sequence[Prompt],
        inputs: Sequence[PromptInput],
        name: str,
        report: Progress,
        *,
        everything: bool,
    ) -> dict[int, tuple[float, ...]]:
        """Place -> logits, of all batches that are needed; first those of the start model's shapes.

        There, the plain prompt stands in for one that is worded otherwise, so that the other rows of its batch can have
        the start model's bits.
        """
        plain = [prompt.token_ids for prompt in prompts]
        reworded = {n for n, given in enumerate(inputs) if given.token_ids != plain[n]}
        wanted = {n for n, given in enumerate(inputs) if everything or given.corrupted} - reworded
        groups = batches(plain, self._batch_size)
        if not everything:
            changed = wanted | reworded
            wanted |= drawn(groups, lambda n: n not in changed, self._recheck, name)
        needed = [group for group in groups if wanted & set(group)]
        shaped = [PromptInput(plain[n]) if n in reworded else given for n, given in enumerate(inputs)]
        others = sorted(reworded)
        apart = batches([inputs[n].token_ids for n in others], self._batch_size)
        found: dict[int, tuple[float, ...]] = {}
        total = len(needed) + len(apart)
        for done, group in enumerate(needed):
            report(name, done, total)
            scored = zip(group, scorer.score([shaped[n] for n in group]), strict=True)
            found |= {n: row for n, row in scored if n not in reworded}
        for done, places in enumerate(apart, start=len(needed)):
            report(name, done, total)
            group = [others[place] for place in places]
            found |= zip(group, scorer.score([inputs[n] for n in group]), strict=True)
        report(name, total, total)
        return found


def by_place(items: Sequence[Item]) -> dict[tuple[str, int], Item]:
    """(set, index) -> item."""
    return {(item["set"], item["index"]): item for item in items}
