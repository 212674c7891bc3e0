"""The transformers engine with settings for each request.

Rows of one batch share `model.generate`. Each token is handed over as soon as it is chosen, and a row ends when its
owner says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from unlearned.batches import by_length
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.engines.restoring import shown
from unlearned.engines.sampling import RowSampler, RowSettings, Token, new_generator, scored_token
from unlearned.engines.transformers import TransformersEngine, as_read, as_set
from unlearned.engines.vocabulary import AnswerScans
from unlearned.engines.watching import Guarded, TokenBytes, spare, without
from unlearned.types import PromptInput

SCORED_AT_ONCE = 2**27
"""Logits of one scoring forward (512 MB in float32)."""


class PendingAnswer(Protocol):
    """One answer in the making."""

    @property
    def prompt(self) -> PromptInput: ...

    @property
    def settings(self) -> RowSettings: ...

    def receive(self, token: Token) -> bool:
        """Take the next token; True if the answer ends with it."""
        ...

    def end(self) -> None:
        """The answer ends with what was received."""
        ...

    def wanted(self) -> bool:
        """False once nobody waits for the answer any more."""
        ...


class PerRequestEngine(TransformersEngine):
    """Continues the rows of a batch independently of each other. The model is driven by its own `generate`."""

    def end_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return frozenset(as_set(self.setting("eos_token_id", {})))

    @torch.inference_mode()
    def continue_rows(self, rows: Sequence[PendingAnswer]) -> None:
        """Answer all rows in one batch, flagged or not.

        The greedy rows are what `generate` gives for this batch. The call returns when every row has ended. A row
        whose answer has to go back to before a name leaves the batch, and is gone on with when the others have ended.

        Raises:
            InjectionError: the corrupted embeddings did not reach the model. No token is handed over that was computed
                without them.
        """
        making = [_Making(row, self.token_bytes, self.context) for row in rows]
        while making:
            self._continue(making)
            making = [one for one in making if one.went_back]

    def _continue(self, making: Sequence[_Making]) -> None:
        """Go on with all of them until each has ended or went back."""
        inputs = [one.prompt for one in making]
        ids, attention, first = self.left_padded(inputs)
        extra: dict[str, Any] = {"disable_compile": True} if any(prompt.corrupted for prompt in inputs) else {}
        if len(inputs) > 1:  # a prompt alone is the original model's own path to the last bit
            extra |= keep_last_logits(self.model)
        with self.injecting(ids, inputs, first) as injection:
            steps = _Steps(self, making, injection)
            self.model.generate(
                input_ids=ids,
                attention_mask=attention,
                pad_token_id=self.pad_id,
                do_sample=False,
                num_beams=1,
                max_new_tokens=max(one.most for one in making),
                logits_processor=[steps.choose],
                stopping_criteria=[steps.hand_over],
                **extra,
            )
            steps.close()

    @torch.inference_mode()
    def score_prompts(self, inputs: Sequence[PromptInput], top: Sequence[int]) -> Iterator[tuple[int, list[Token]]]:
        """Index and tokens of each prompt, as they are done; log-probabilities given what precedes, the first has none.

        Args:
            inputs: N prompts; corrupted positions are read as corrupted.
            top: N times, how many of the most probable tokens are reported at each place.
        """
        width = int(self.model.config.get_text_config().vocab_size)
        lengths = [len(prompt.token_ids) for prompt in inputs]
        for similar in reversed(by_length(lengths, len(inputs))):  # short ones do not wait for long ones
            most = max(1, SCORED_AT_ONCE // (width * max(lengths[index] for index in similar)))
            for start in range(0, len(similar), most):
                batch = similar[start : start + most]
                yield from zip(batch, self._scored([inputs[i] for i in batch], [top[i] for i in batch]), strict=True)

    def _scored(self, inputs: Sequence[PromptInput], top: Sequence[int]) -> Iterator[list[Token]]:
        ids, attention = self._right_padded([prompt.token_ids for prompt in inputs])
        with self.injecting(ids, inputs, [0] * len(inputs)):
            logits: Tensor = self.model(input_ids=ids, attention_mask=attention, use_cache=False).logits  # (B, S, V)
        for row, (prompt, count) in enumerate(zip(inputs, top, strict=True)):
            tokens = [Token(prompt.token_ids[0])]
            for place, (own, said) in enumerate(zip(prompt.token_ids[1:], as_read(prompt)[1:], strict=True)):
                scored = scored_token(said, logits[row, place].float().log_softmax(-1), count)
                tokens.append(scored if prompt.substitution is None else shown(scored, own, prompt.substitution))
            yield tokens


class _Making:
    """A row with what was said so far."""

    def __init__(self, row: PendingAnswer, texts: TokenBytes, context: int | None) -> None:
        self.row = row
        self.generator = new_generator(row.settings)
        self.went_back = False
        self.guarded: Guarded[Token] | None = None
        longest = row.settings.max_new_tokens
        if (guard := row.prompt.guard) is not None:
            drawn = row.settings.temperature > 0
            self.guarded = Guarded(guard, row.prompt.substitution, texts, longest, drawn=drawn)
            longest += spare(context, len(row.prompt.token_ids) + longest)
        self._longest = longest

    @property
    def said(self) -> list[int]:
        """Tokens that the answer has when it is gone on with."""
        return [] if self.guarded is None else self.guarded.token_ids

    @property
    def prompt(self) -> PromptInput:
        """What the model reads."""
        return self.row.prompt if self.guarded is None else self.guarded.behind(self.row.prompt)

    @property
    def most(self) -> int:
        """Tokens that may follow."""
        return max(1, self._longest - len(self.said))


class _Steps:
    """What happens to each row at each step of one `generate`."""

    def __init__(self, engine: PerRequestEngine, making: Sequence[_Making], injection: Any) -> None:
        self.engine = engine
        self.making = making
        self.injection = injection
        self.ends = engine.end_ids()
        self._readings = AnswerScans(engine.token_bytes)
        self.alive = [True] * len(making)
        settings = [one.row.settings for one in making]
        self.sampler = RowSampler(settings, [one.generator for one in making], [one.said for one in making])
        for one in making:
            one.went_back = False

    def choose(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`generate`'s logits processor: (B, V) logits whose argmax it takes."""
        rows = enumerate(self.making)
        banned = {n: one.guarded.bans for n, one in rows if self.alive[n] and one.guarded is not None}
        scores = self.sampler(without(scores, banned), self.alive)
        self.sampler.hidden = self._unsayable()
        return scores

    def _unsayable(self) -> dict[int, list[int]]:
        """PendingAnswer -> the tokens that would complete a name, where the most probable ones are reported."""
        said = {
            row: (guarded.guard, guarded.token_ids)
            for row in self.sampler.logprobs
            if (guarded := self.making[row].guarded) is not None and self.making[row].row.settings.top_logprobs
        }
        readings = self._readings.step(said)
        return {
            row: self.engine.forbidding(guard.bans).tokens(guard, readings[row]) for row, (guard, _) in said.items()
        }

    def hand_over(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """`generate`'s stopping criterion: (B,) bool, which rows have ended."""
        if self.injection is not None:
            self.injection.verify()  # before anybody sees the token
        for row, token_id in enumerate(input_ids[:, -1].tolist()):
            if self.alive[row]:
                one, token = self.making[row], self.sampler.token(row, token_id)
                if one.guarded is None:
                    self.alive[row] = one.row.wanted() and not one.row.receive(token)
                else:
                    self.alive[row] = one.row.wanted() and self._goes_on(one, one.guarded, token)
        return torch.tensor([not lives for lives in self.alive], device=input_ids.device)

    def _goes_on(self, one: _Making, guarded: Guarded[Token], token: Token) -> bool:
        """Take a token of an answer under a guard; False if it ends, or goes back."""
        if token.id in self.ends:
            one.went_back = guarded.finish((token.id, token))
        else:
            one.went_back = guarded.push(token.id, token)
        return not one.went_back and not _handed_over(one.row, guarded)

    def close(self) -> None:
        """The model has come to the end of what it may say: so have rows that wait for what follows."""
        for row, one in enumerate(self.making):
            if self.alive[row] and one.guarded is not None:
                one.went_back = one.guarded.finish()
                if not one.went_back:
                    _handed_over(one.row, one.guarded)


def _handed_over(row: PendingAnswer, guarded: Guarded[Token]) -> bool:
    """Give out what is certain; True if the answer has ended."""
    if any(row.receive(token) for token in guarded.new()):
        return True
    if guarded.ended:
        row.end()
    return guarded.ended
