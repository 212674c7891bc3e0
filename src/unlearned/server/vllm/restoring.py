"""Where vLLM turns outputs into text: strangers become the user's words before anything else sees the tokens.

A fixed answer takes the place of what the engine made there, too. Stop strings, log-probabilities, streams and counts
that vLLM works out afterwards are those of what the client reads. A beam search goes on from the model's own tokens, so
its answers are turned back when it has ended.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np

from unlearned.engines.base import Completion
from unlearned.engines.restoring import Chunk, Restorer, restored, tokens_of
from unlearned.engines.sampling import Token
from unlearned.server.vllm.enforcer import GIVEN, given_with
from unlearned.server.vllm.fixed import FixedAnswer
from unlearned.server.vllm.hooks import BEAMS, BEAMS_OFFLINE, NEW_STATE, OUTPUTS, wrap
from unlearned.substitution.substitution import Substitution

WAY_BACK = "x-unlearned-way-back"
"""Key of the handle of a request's substitution or fixed answer, in its trace headers, which clients cannot set."""

MOST_WAITING = 2048
"""Requests between the front end and the place where outputs are processed."""

_waiting: OrderedDict[str, Substitution | FixedAnswer] = OrderedDict()


def install() -> None:
    """Wrap where outputs are processed."""
    wrap(NEW_STATE, _adding)
    wrap(OUTPUTS, _processing)
    wrap(BEAMS, _beams)
    wrap(BEAMS_OFFLINE, _beams_offline)


def handle(way: Substitution | FixedAnswer) -> dict[str, str]:
    """Trace headers by which the way from what the engine makes to what the client reads is found again."""
    key = secrets.token_hex(8)
    _waiting[key] = way
    while len(_waiting) > MOST_WAITING:
        _waiting.popitem(last=False)
    return {WAY_BACK: key}


def _adding(add: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        way = _waiting.get((request.trace_headers or {}).get(WAY_BACK, ""))
        result = add(self, request, *args, **kwargs)
        if way is not None and self.tokenizer is not None:
            if not hasattr(self, "unlearned"):
                self.unlearned = {}
            own = way if isinstance(way, FixedAnswer) else Restorer[Token](way, self.tokenizer)
            self.unlearned[request.request_id] = own
        return result

    return wrapper


def _processing(process: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, engine_core_outputs: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        restorers: dict[str, Restorer[Token] | FixedAnswer] = getattr(self, "unlearned", {})
        if restorers:
            for gone in restorers.keys() - self.request_states.keys():
                del restorers[gone]
            kept = [(output, restorers.get(output.request_id)) for output in engine_core_outputs]
            engine_core_outputs = [output for output, own in kept if own is None or _rewrite(output, own)]
        return process(self, engine_core_outputs, *args, **kwargs)

    return wrapper


def _rewrite(output: Any, own: Restorer[Token] | FixedAnswer) -> bool:
    """Rewrite an output in place; False while there is nothing to tell."""
    return _say(output, own) if isinstance(own, FixedAnswer) else _restore(output, own)


def _say(output: Any, answer: FixedAnswer) -> bool:
    """The engine makes one token and ends: the whole answer stands in its place. A request that failed stays so."""
    from vllm.v1.engine import FinishReason

    reason = output.finish_reason
    new = [Token(token_id, 0.0) for token_id in answer.token_ids]
    if reason in (FinishReason.STOP, FinishReason.LENGTH):
        output.finish_reason = FinishReason.STOP if answer.ended else FinishReason.LENGTH
        output.stop_reason = answer.stop_reason
    else:
        new = []
    output.new_token_ids = [token.id for token in new]
    if output.new_logprobs is not None:
        output.new_logprobs = _table(output.new_logprobs, new)
    return reason is not None


def _restore(output: Any, restorer: Restorer[Token]) -> bool:
    """Rewrite an output in place; False while all of it is held back."""
    tokens, told = _tokens(output), output.new_logprobs
    chunks: list[Chunk[Token]] = []
    for token in tokens:
        chunks += restorer.push(token.id, token)
    if output.finish_reason is not None:
        chunks += restorer.finish()
    new = [token for chunk in chunks for token in tokens_of(chunk, restorer.substitution)]
    output.new_token_ids = [token.id for token in new]
    if told is not None:
        output.new_logprobs = _table(told, new)
    return bool(new) or output.finish_reason is not None


def _tokens(output: Any) -> list[Token]:
    ids, told = output.new_token_ids, output.new_logprobs
    if told is None:
        return [Token(token_id) for token_id in ids]
    rows = zip(ids, told.logprob_token_ids.tolist(), told.logprobs.tolist(), strict=True)
    return [Token(token_id, values[0], tuple(zip(top, values, strict=True))) for token_id, top, values in rows]


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


def _beams(search: Callable[..., Any]) -> Callable[..., Any]:
    """Beams over HTTP."""

    async def wrapper(self: Any, prompt: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for found in search(self, prompt, *args, **kwargs):
            substitution = given_with(prompt).said.get(GIVEN)
            if substitution is not None:
                for output in found.outputs:
                    said = Completion(output.text, tuple(output.token_ids))
                    done = restored(said, substitution, substitution.pieces.tokenizer)
                    output.text, output.token_ids = done.text, list(done.token_ids)
            yield found

    return wrapper


def _beams_offline(search: Callable[..., Any]) -> Callable[..., Any]:
    """Beams of `LLM`."""

    def wrapper(self: Any, prompts: Any, *args: Any, **kwargs: Any) -> Any:
        results = search(self, prompts, *args, **kwargs)
        for result in results:
            for beam in result.sequences:
                origin = beam.orig_prompt
                substitution = given_with(origin).said.get(GIVEN) if isinstance(origin, dict) else None
                if substitution is not None:
                    cut = len(origin["prompt_token_ids"])
                    said = Completion("", tuple(beam.tokens[cut:]))
                    done = restored(said, substitution, substitution.pieces.tokenizer)
                    beam.tokens = [*beam.tokens[:cut], *done.token_ids]
                    beam.text = substitution.pieces.text(tuple(beam.tokens))
        return results

    return wrapper
