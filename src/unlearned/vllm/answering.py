"""One answer of vLLM on its way from what the engine makes to what the client reads.

    the engine's tokens -> what may not be said is taken back -> strangers become the user's words -> the client

What the engine tells of the prompt is told of what the client sent.

The engine has gone on when it is found that a name was said, so what may be the beginning of one waits here. To go back
means to end the request in the engine and to ask it for another one, whose prompt ends with what was said so far; the
prefix cache has most of it, and the client's request knows nothing of it. Log-probabilities, stop strings, streams and
counts that vLLM works out afterwards are those of what the client reads.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.engine import FinishReason

from unlearned.answers.guard import Bans, Guard
from unlearned.engines.restoring import Restorer, tokens_of
from unlearned.engines.sampling import Token
from unlearned.engines.vocabulary import AnswerScan, Forbidding, scanned
from unlearned.engines.watching import Guarded, TokenBytes, spare
from unlearned.substitution.substitution import Substitution
from unlearned.vllm.banning import ARGUMENT, first
from unlearned.vllm.fixed import FixedAnswer
from unlearned.vllm.lengthening import Lengthened
from unlearned.vllm.tokens import put, tokens_in

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

AGAIN = "~"
"""Between a request's id and how often it was asked for anew."""

CARRIED = ("prefill_stats", "events", "new_prompt_logprobs_tensors", "prompt_token_id_logprobs")
"""What an output tells once, about the prompt: it is told with the first token that is given out."""

ENDED = (FinishReason.STOP, FinishReason.LENGTH)
"""Ends of an answer that the model, or its longest answer, has made."""


@dataclass(frozen=True, slots=True)
class Way:
    """What is done to the answers to one prompt."""

    substitution: Substitution | None = None
    guard: Guard | None = None
    fixed: FixedAnswer | None = None
    """Said in place of what the engine makes."""

    lengthened: Lengthened | None = None
    """The prompt, where the engine reads a longer one."""

    embed: Callable[[Sequence[int]], Tensor] | None = None
    """(T,) ids -> (T, D) embeddings of the engine's model, where the prompt has embeddings of its own."""

    context: int | None = None
    """Tokens that the engine reads at most."""

    end: int | None = None
    """The token that ends an answer."""

    @property
    def changes_answers(self) -> bool:
        """Whether anything of what the engine tells is not for the client as it is."""
        own = (self.substitution, self.guard, self.fixed, self.lengthened)
        return any(part is not None for part in own)


@dataclass(slots=True)
class OutputStep:
    """What one output of the engine comes to."""

    told: bool
    """The client gets the output; else there is nothing to tell yet."""

    ended: tuple[str, ...] = ()
    """Ids of requests that the engine should not go on with."""

    asked: Any = None
    """A request that the engine should take up."""


class Answering:
    """One answer in the making.

    Args:
        way: of its prompt.
        request: of the engine.
        tokenizer: of the model.
        texts: bytes of its tokens.
        forbidding: finds the tokens that would complete a name, for lists of alternatives.
    """

    def __init__(
        self,
        way: Way,
        request: Any,
        tokenizer: PreTrainedTokenizerBase,
        texts: TokenBytes,
        forbidding: Callable[[Bans], Forbidding],
    ) -> None:
        self.way, self.request = way, request
        self._texts, self._forbidding = texts, forbidding
        self.engine_id: str = request.request_id
        """Id under which the engine knows it now."""

        self._asked = 0
        self._carried: dict[str, Any] = {}
        self._guarded: Guarded[Token] | None = None
        self._reading: AnswerScan | None = None
        self._most: int = request.sampling_params.max_tokens
        if way.guard is not None:
            self._guarded = Guarded(way.guard, way.substitution, texts, self._most)
            if request.sampling_params.logprobs:
                self._reading = AnswerScan(way.guard, texts)
        self._restorer = None if way.substitution is None else Restorer[Token](way.substitution, tokenizer)

    def read(self, output: Any) -> OutputStep:
        """Rewrite an output of the engine in place."""
        output.request_id = self.request.request_id
        if self.way.lengthened is not None:
            self.way.lengthened.hide(output)
        if self.way.fixed is not None:
            return OutputStep(_say(output, self.way.fixed))
        if self._guarded is None and self._restorer is None:
            return OutputStep(True)
        step, is_first = OutputStep(True), self._asked == 0
        tokens = tokens_in(output)
        if self._guarded is not None:
            tokens = self._watched(tokens, output, self._guarded, step)
        if self._restorer is not None:
            tokens = _restored(tokens, self._restorer, ended=output.finish_reason is not None)
        put(tokens, output)
        step.told = bool(tokens) or output.finish_reason is not None
        for name in CARRIED:
            own = getattr(output, name) if is_first else None  # the client's request has one prompt, read once
            found = self._carried.pop(name, own)
            if step.told:
                setattr(output, name, found)
            elif found is not None:
                self._carried[name] = found
        return step

    def _watched(self, tokens: Sequence[Token], output: Any, guarded: Guarded[Token], step: OutputStep) -> list[Token]:
        """What is certain of an answer under a guard; the output's end becomes the answer's."""
        reason, back = output.finish_reason, False
        for place, token in enumerate(self._without_names(tokens)):
            if reason == FinishReason.STOP and place == len(tokens) - 1:  # the token that says so
                back = guarded.finish((token.id, token))
            else:
                back = guarded.push(token.id, token)
            if back or guarded.ended:
                break
        more = 0
        if not back and not guarded.ended and reason in ENDED:
            more = self._room(guarded) if reason == FinishReason.LENGTH else 0
            back = not more and guarded.finish()
        if back or more:
            output.finish_reason = output.stop_reason = None
            step.ended = () if reason is not None else (self.engine_id,)
            step.asked = self._again(guarded, more)
        elif guarded.ended and reason is None:
            step.ended = (self.engine_id,)
        new = guarded.new()
        if guarded.ended and (reason is None or reason in ENDED):
            stopped = reason == FinishReason.STOP and guarded.token_ids[-1:] == [token.id for token in tokens[-1:]]
            cut = not stopped and (len(guarded.tokens) >= self._most or self.way.end is None)
            output.finish_reason = FinishReason.LENGTH if cut else FinishReason.STOP
            output.stop_reason = output.stop_reason if stopped else None
            if not cut and not stopped and self.way.end is not None:  # vLLM takes the last token of such an answer off
                new.append(Token(self.way.end, 0.0))
        return new

    def _without_names(self, tokens: Sequence[Token]) -> Iterator[Token]:
        """The tokens, with nothing among those they might have been instead that would complete a name."""
        for token in tokens:
            if self._reading is None or self.way.guard is None:
                yield token
                continue
            banned = set(self._forbidding(self.way.guard.bans).tokens(self.way.guard, self._reading))
            own, *others = token.top or ((token.id, token.logprob or 0.0),)
            # The chosen one again in the place of others: a table has one width, and lists name each token once.
            yield replace(token, top=(own, *(own if other[0] in banned else other for other in others)))
            self._reading.push(token.id)

    def _room(self, guarded: Guarded[Token]) -> int:
        """How many tokens beyond the longest answer the engine may be asked for, to see what the last ones are."""
        used = len(self.request.prompt_token_ids) + self._most
        return max(0, self._most + spare(self.way.context, used) - len(guarded.tokens))

    def _again(self, guarded: Guarded[Token], more: int) -> Any:
        """The request by which the engine goes on behind what was said."""
        said = guarded.token_ids
        self._asked += 1
        request = copy.copy(self.request)
        self.engine_id = request.request_id = f"{self.request.request_id}{AGAIN}{self._asked}"
        request.prompt_token_ids = [*self.request.prompt_token_ids, *said]
        if request.prompt_embeds is not None and self.way.embed is not None:
            request.prompt_embeds = torch.cat([request.prompt_embeds, self.way.embed(said)])
            request.prompt_is_token_ids = [*request.prompt_is_token_ids, *[True] * len(said)]
        sampling = request.sampling_params = copy.copy(self.request.sampling_params)
        sampling.max_tokens = max(1, more or self._most - len(said))
        sampling.min_tokens = max(0, min(sampling.min_tokens - len(said), sampling.max_tokens))
        sampling.prompt_logprobs = None
        if sampling.seed is not None:
            sampling.seed += self._asked
        if guarded.bans:
            sampling.extra_args = {**(sampling.extra_args or {}), ARGUMENT: first(guarded.bans)}
        if self._reading is not None and self.way.guard is not None:
            self._reading = scanned(self.way.guard, self._texts, said)
        return request


def _restored(tokens: Sequence[Token], restorer: Restorer[Token], *, ended: bool) -> list[Token]:
    chunks = [chunk for token in tokens for chunk in restorer.push(token.id, token)]
    if ended:
        chunks += restorer.finish()
    return [token for chunk in chunks for token in tokens_of(chunk, restorer.substitution)]


def _say(output: Any, answer: FixedAnswer) -> bool:
    """The engine makes one token and ends: the whole answer stands in its place. A request that failed stays so."""
    reason = output.finish_reason
    new = [Token(token_id, 0.0) for token_id in answer.token_ids]
    if reason in ENDED:
        output.finish_reason = FinishReason.STOP if answer.ended else FinishReason.LENGTH
        output.stop_reason = answer.stop_reason
    else:
        new = []
    put(new, output)
    return reason is not None
