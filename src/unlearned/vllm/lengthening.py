"""Prompts that are longer for the engine than for who sent them: a soft prompt or an instruction stands in them.

The engine gets all of it. Where its outputs become answers, the request is the client's again: its prompt, its counts
and the log-probabilities of its own tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unlearned.server.refusals import context_exceeded


@dataclass(frozen=True, slots=True)
class Lengthened:
    """One prompt, as it was sent and as the engine reads it."""

    own: tuple[int, ...]
    """(T,) ids that were sent."""

    start: int
    """How many of them the engine reads first, before what was put in."""

    added: int
    """How many more ids the engine reads. Less than 0 where words that a client had cut into letters became fewer."""

    @classmethod
    def of(cls, own: Sequence[int], read: Sequence[int]) -> Lengthened | None:
        """Compare (T,) ids as they were sent with (T + added,) ids as the engine reads them; None: the same."""
        if list(own) == list(read):
            return None
        differing = (place for place, (one, other) in enumerate(zip(own, read, strict=False)) if one != other)
        return cls(tuple(own), next(differing, min(len(own), len(read))), len(read) - len(own))

    def make_room(self, sampling: Any, context: int) -> None:
        """Bound an answer whose length was left open by what is left of the context.

        Args:
            sampling: vLLM's parameters of the request, changed in place.
            context: tokens that the engine reads at most.

        Raises:
            RefusalError: 400, the prompt does not fit with what is put in and the answer that was asked for.
        """
        asked, left = sampling.max_tokens, context - len(self.own) - self.added
        is_open = asked == context - len(self.own)  # what vLLM says for whoever says nothing
        if is_open and left > 0:
            sampling.max_tokens = min(asked, left)
            sampling.min_tokens = min(sampling.min_tokens, sampling.max_tokens)
        elif asked > left:
            raise context_exceeded(len(self.own) + self.added, 1 if is_open else asked, context)

    def score_own(self, sampling: Any) -> None:
        """Where a request names tokens of the prompt to be scored, its places are moved behind what is put in front."""
        if getattr(sampling, "prompt_logprob_token_ids", None) is not None:
            sampling.prompt_logprob_start = (sampling.prompt_logprob_start or 0) + self.added

    def as_sent(self, request: Any) -> Any:
        """The engine's request with the client's prompt in it."""
        sent = copy.copy(request)
        sent.prompt_token_ids = list(self.own)
        sent.prompt_embeds = sent.prompt_is_token_ids = None
        return sent

    def hide(self, output: Any) -> None:
        """Leave out of an output of the engine what it tells of the tokens that were put in."""
        if (told := output.new_prompt_logprobs_tensors) is not None:  # a row for each token but the first
            output.new_prompt_logprobs_tensors = told._replace(
                logprob_token_ids=told.logprob_token_ids[self.added :],
                logprobs=told.logprobs[self.added :],
                selected_token_ranks=told.selected_token_ranks[self.added :],
            )
        if output.prefill_stats is not None:
            output.prefill_stats = self._counted(output.prefill_stats)

    def _counted(self, told: Any) -> Any:
        """Counts of the prompt's tokens, among its own."""
        counts = copy.copy(told)
        cached = self._own_of(told.num_cached_tokens)
        written = self._own_of(told.num_cached_tokens + getattr(told, "num_cache_creation_tokens", 0))
        counts.num_prompt_tokens, counts.num_computed_tokens = len(self.own), len(self.own) - cached
        counts.num_cached_tokens = counts.num_local_cached_tokens = cached
        counts.num_cache_creation_tokens = written - cached
        return counts

    def _own_of(self, count: int) -> int:
        """How many of the engine's first `count` tokens were sent."""
        return min(len(self.own), max(min(count, self.start), count - self.added))
