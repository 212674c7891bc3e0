"""What the engine tells of its tokens, read and written: ids with log-probabilities, in vLLM's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unlearned.engines.sampling import Token


def tokens_in(output: Any) -> list[Token]:
    """The tokens of one output of the engine."""
    ids, told = output.new_token_ids, output.new_logprobs
    if told is None:
        return [Token(token_id) for token_id in ids]
    rows = zip(ids, told.logprob_token_ids.tolist(), told.logprobs.tolist(), strict=True)
    return [Token(token_id, values[0], tuple(zip(top, values, strict=True))) for token_id, top, values in rows]


def put(tokens: Sequence[Token], output: Any) -> None:
    """Write tokens into an output in the place of its own."""
    output.new_token_ids = [token.id for token in tokens]
    if output.new_logprobs is not None:
        output.new_logprobs = _table(output.new_logprobs, tokens)


def _table(told: Any, tokens: Sequence[Token]) -> Any:
    """vLLM's table of (token, log-probability), the chosen one first."""
    width = told.logprob_token_ids.shape[1]
    ids = np.zeros((len(tokens), width), dtype=told.logprob_token_ids.dtype)
    values = np.full((len(tokens), width), -np.inf, dtype=told.logprobs.dtype)
    for row, token in enumerate(tokens):
        top = token.top or ((token.id, token.logprob or 0.0),) * width
        ids[row], values[row] = [other for other, _ in top], [value for _, value in top]
        ids[row, 0] = token.id
    ranks = np.ones(len(tokens), dtype=told.sampled_token_ranks.dtype)
    return told._replace(
        logprob_token_ids=ids, logprobs=values, sampled_token_ranks=ranks, cu_num_generated_tokens=None
    )
