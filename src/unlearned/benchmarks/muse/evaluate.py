"""One model on MUSE: verbatim memory, knowledge, membership.

An unlearner stands in front of everything that the model reads: also of the texts whose likelihood tells whether they
were learned, which are then read as prompts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearned.benchmarks.asking import Rows, reuse
from unlearned.benchmarks.copyright.evaluate import ends
from unlearned.benchmarks.copyright.passages import cut
from unlearned.benchmarks.muse.config import MuseEvaluation
from unlearned.benchmarks.muse.data import Pair
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import System
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.metrics.membership import min_k
from unlearned.metrics.text import rouge_f1
from unlearned.progress import Progress
from unlearned.types import PromptInput

VERBATIM, FORGET_QA, RETAIN_QA, MEMBERS, STRANGERS = (
    "verbmem",
    "knowmem_forget",
    "knowmem_retain",
    "privleak_forget",
    "privleak_holdout",
)
_NEXT_QUESTION = re.compile(r"\n\n|\nQuestion|Question:")


@dataclass(frozen=True, slots=True)
class _Asked:
    set: str
    index: int
    prompt: str
    truth: str | None
    """None: only the likelihood of the prompt is asked."""

    @property
    def id(self) -> str:
        return f"{self.set}/{self.index}"


def evaluate(
    system: System,
    sets: Rows,
    examples: Mapping[str, Sequence[Pair]],
    config: MuseEvaluation,
    *,
    start: Sequence[Item] = (),
    report: Progress | None = None,
) -> list[Item]:
    """The items of all five sets.

    Args:
        system: what stands between prompts and model.
        sets: what to ask.
        examples: what stands in front of questions of the "forget" and "retain" side.
        config: how.
        start: the start model's items, taken over where a prompt is not changed.
        report: called with (phase, done, total).
    """
    found: list[Item] = []
    total = sum(map(len, sets.values()))
    for name, rows in asked(system, sets, examples, config).items():
        if report is not None:
            report(system.name, len(found), total)
        prompts = [system.engine.tokenize(row.prompt) for row in rows]
        reused = reuse(system, prompts, [row.id for row in rows], start)
        make = _likelihoods if name in (MEMBERS, STRANGERS) else _answers
        needed = [(rows[i], reused.inputs[i]) for i in reused.needed]
        scores = dict(zip(reused.needed, make(system, config, needed), strict=True))
        for i, row in enumerate(rows):
            own = scores.get(i) or reused.scores(i, without=("changed",))
            found.append({"id": row.id, "set": name, "index": row.index, "changed": float(reused.changed[i]), **own})
    if report is not None:
        report(system.name, total, total)
    return found


def asked(
    system: System, sets: Rows, examples: Mapping[str, Sequence[Pair]], config: MuseEvaluation
) -> dict[str, list[_Asked]]:
    """Set -> what is asked."""
    tokenizer = system.engine.tokenizer

    def written(name: str, row: Any) -> tuple[str, str | None]:
        if name == VERBATIM:
            return row.prompt, cut(row.truth, tokenizer, config.verbatim_tokens)
        if name in (FORGET_QA, RETAIN_QA):
            return shown(examples["forget" if name == FORGET_QA else "retain"], row.prompt), row.truth
        return cut(row, tokenizer, config.text_tokens), None

    return {name: [_Asked(name, index, *written(name, row)) for index, row in rows] for name, rows in sets.items()}


def shown(examples: Sequence[Pair], question: str) -> str:
    """A question behind examples, as MUSE writes them.

    Source: KnowMem of arXiv:2407.06460. Its code ends the prompt with a space; here there is none, since to most
    tokenizers it is the beginning of the answer's first token.
    """
    before = "".join(f"Question: {example.prompt}\nAnswer: {example.truth}\n\n" for example in examples)
    return f"{before}Question: {question}\nAnswer:"


def first_answer(text: str) -> str:
    """What was generated before the model asks itself the next question."""
    return _NEXT_QUESTION.split(text, maxsplit=1)[0].strip()


def _answers(
    system: System, config: MuseEvaluation, rows: Sequence[tuple[_Asked, PromptInput]]
) -> list[dict[str, Any]]:
    if not rows:
        return []
    verbatim = rows[0][0].set == VERBATIM
    answers = system.engine.generate(
        [given for _, given in rows],
        batch_size=config.batch_size,
        max_new_tokens=config.verbatim_tokens if verbatim else config.answer_tokens,
        do_sample=False,
        num_beams=1,
        eos_token_id=ends(system.engine),
        **keep_last_logits(system.engine.model),
    )
    texts = [answer.text if verbatim else first_answer(answer.text) for answer in answers]
    scores = rouge_f1(texts, [row.truth or "" for row, _ in rows], stemming=config.stemming)
    return [{"generated": text, "rouge": float(score)} for text, score in zip(texts, scores, strict=True)]


def _likelihoods(system: System, _: MuseEvaluation, rows: Sequence[tuple[_Asked, PromptInput]]) -> list[dict[str, Any]]:
    """Min-40% of the whole text, from its second token on."""
    inputs = [given for _, given in rows]
    # All places of a text go through the output head, and 2,048 of them keep an accelerator busy.
    found = system.engine.prompt_log_probabilities(inputs, batch_size=1)
    return [{"min_k": min_k(tokens.numpy())} for tokens in found]
