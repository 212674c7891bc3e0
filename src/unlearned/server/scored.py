"""Prompts of `/v1/completions` of which a part is scored: it is the answer's text, so nothing of it is corrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unlearned.engines.restoring import shown
from unlearned.engines.sampling import Token
from unlearned.substitution.scoring import Continuation, continuation
from unlearned.types import Prompt, PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A context of T tokens, and the m tokens behind it that are scored."""

    context: Prompt
    """What is classified, and corrupted where it is in scope."""

    text: str
    """What is scored."""

    token_ids: tuple[int, ...]
    """(m,) its own."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPrompt:
    """A marked prompt as the model reads it."""

    marked: Marked
    target: Continuation
    """n tokens: with strangers in it where the context has them."""

    given: PromptInput
    """(T + n) tokens."""

    def at_text(self, tokens: Sequence[Token]) -> list[Token]:
        """T + n tokens as the model reads them -> T + m as they were written; log-probabilities add up to the same.

        Where several tokens stand for one, alternatives are those of the first that the model would not have chosen.
        """
        length, known = len(self.given.token_ids) - len(self.target.token_ids), self.given.substitution
        read, own = list(tokens[length:]), self.marked.token_ids
        context = of_prompt(self.marked.context, tokens[:length])
        if known is None or self.target.token_ids == own:
            return [*context, *read]
        ends = self.target.ends if self.target.ends is not None else tuple(range(1, len(read) + 1))
        if len(ends) != len(own):  # the tokens were not those of the tokenizer: all at the last one
            ends = (*[0] * (len(own) - 1), len(read))
        values = torch.tensor([token.logprob or 0.0 for token in read])
        logprobs = replace(self.target, ends=ends).at_text(values).tolist()
        written = []
        for token_id, logprob, start, end in zip(own, logprobs, (0, *ends[:-1]), ends, strict=True):
            group = read[start:end]
            telling = next((token for token in group if not _is_greedy(token)), group[0] if len(group) == 1 else None)
            written.append(shown(Token(token_id, logprob, telling.top if telling else ()), token_id, known))
        return [*context, *written]


def of_prompt(prompt: Prompt, tokens: Sequence[Token]) -> list[Token]:
    """What the model read of a prompt -> the prompt's own tokens, the first of them without a log-probability.

    None of them has one where they were read as part of a longer text, whose tokens are others.
    """
    front = len(tokens) - len(prompt.token_ids)
    if not front:
        return list(tokens)
    own = tokens[front:] if front > 0 else ()
    if tuple(token.id for token in own) != prompt.token_ids:
        return [Token(token_id) for token_id in prompt.token_ids]
    return [Token(own[0].id), *own[1:]]


def _is_greedy(token: Token) -> bool:
    return token.logprob is not None and all(logprob <= token.logprob for _, logprob in token.top)


def scored(marked: Marked, context: PromptInput, tokenizer: PreTrainedTokenizerBase) -> ScoredPrompt:
    """A context that was checked, with its continuation behind it.

    Args:
        marked: what was sent.
        context: what the model reads of its context.
        tokenizer: used by this thread alone.
    """
    known = context.substitution
    target = Continuation(marked.token_ids)
    if known is not None and known.away(marked.text):
        target = continuation(tokenizer, marked.text, known)
    return ScoredPrompt(
        marked, target, replace(context, token_ids=(*context.token_ids, *target.token_ids), answer=None)
    )
