"""Sampled answers to flagged prompts: which strangers still show, and which words are turned back without cause.

A stranger shows where a capitalised word of the shown answer reads like one of the prompt's strangers. What is turned
back without cause is counted on answers to *other* prompts: what the model says there it says by itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from unlearned.api import Unlearned
from unlearned.engines.restoring import restored
from unlearned.errors import DataError
from unlearned.progress import Progress
from unlearned.substitution.entities import WORD, words_in
from unlearned.substitution.spelling import has_capital, is_known, ordinary_words
from unlearned.substitution.substitution import Substitution
from unlearned.types import PromptInput
from unlearned.words import squash

ALIKE = 0.8
"""`difflib` ratio from which a word reads like a stranger."""


@dataclass(frozen=True, slots=True)
class StrangersResult:
    """What was counted."""

    prompts: int
    """Flagged ones for whose words strangers stand."""

    answers: int
    with_strangers: int
    """Answers in which at least one stranger was turned back."""

    left_over: int
    """Shown answers with a word that is one of the prompt's strangers."""

    misspelt: int
    """Shown answers with a word that only reads like one."""

    by_itself: int
    """Answers in which the strangers of another prompt, which nobody had mentioned, would have been turned back."""

    examples: tuple[str, ...]
    """Examples of answers that are counted as left over or misspelt."""


def run_strangers(
    llm: Unlearned,
    prompts: Sequence[str],
    *,
    answers: int = 1000,
    max_new_tokens: int = 48,
    batch_size: int = 32,
    seed: int = 0,
    report: Progress | None = None,
) -> StrangersResult:
    """Sample answers at temperature 1.

    Args:
        llm: a model under artifacts that put strangers in the place of names.
        prompts: questions about what they forget; those that are not flagged are left out.
        answers: how many, dealt out to the prompts in turn.
        max_new_tokens: longest answer.
        batch_size: prompts per call.
        seed: of the sampling.
        report: called with (phase, done, total).

    Raises:
        DataError: no prompt is flagged and has a stranger.
    """
    found = [one for one in llm.prepare(prompts) if one.substitution is not None and one.substitution.pairs]
    if not found:
        raise DataError("None of the prompts is flagged by an artifact that substitutes names.")
    asked = [found[n % len(found)] for n in range(answers)]
    counts = {"with_strangers": 0, "left_over": 0, "misspelt": 0, "by_itself": 0}
    shown: list[str] = []
    torch.manual_seed(seed)
    for start in range(0, answers, batch_size):
        chunk = asked[start : start + batch_size]
        said = llm.engine.generate(
            [replace(one, substitution=None) for one in chunk],
            max_new_tokens=max_new_tokens,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            batch_size=batch_size,
        )
        for place, (one, answer) in enumerate(zip(chunk, said, strict=True)):
            assert one.substitution is not None
            text = restored(answer, one.substitution, llm.engine.tokenizer).text
            counts["with_strangers"] += bool(one.substitution.back(answer.text))
            kinds = {kind for kind, _ in _showing(text, one)}
            for kind in kinds:
                counts[kind] += 1
            if kinds:
                shown.append(text)
            other = found[(start + place + 1) % len(found)].substitution
            counts["by_itself"] += other is not None and _unasked(other, one, answer.text)
        if report:
            report("answers", min(start + batch_size, answers), answers)
    return StrangersResult(len(found), answers, **counts, examples=tuple(shown[:10]))


def _showing(text: str, prompt: PromptInput) -> Iterator[tuple[str, str]]:
    """("left_over" or "misspelt", word) for each word of a shown answer that is, or reads like, a stranger."""
    assert prompt.substitution is not None
    pairs = [pair for pair in prompt.substitution.pairs.values() if pair.form == WORD]
    strangers = {squash(pair.stranger) for pair in pairs}
    own = {squash(pair.word) for pair in pairs}
    for word in words_in(text):
        key = squash(word.text)
        if word.form != WORD or not has_capital(word.text) or key in own or is_known(key, ordinary_words()):
            continue
        if key in strangers:
            yield "left_over", word.text
        elif any(key[:1] == s[:1] and difflib.SequenceMatcher(None, key, s).ratio() >= ALIKE for s in strangers):
            yield "misspelt", word.text


def _unasked(other: Substitution, prompt: PromptInput, said: str) -> bool:
    """Strangers of another prompt stand in this answer, and this prompt has none of them."""
    assert prompt.substitution is not None
    own = {squash(pair.stranger) for pair in prompt.substitution.pairs.values()}
    foreign = {key: pair for key, pair in other.pairs.items() if squash(pair.stranger) not in own}
    return bool(Substitution(foreign, other.pieces).back(said))
