"""The transformers engine, told row by row: requests with settings of their own share `model.generate`, each token is
handed over as soon as it is chosen, and a row ends when its owner says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from unlearned.batches import by_length
from unlearned.engines.head import keep_last_logits
from unlearned.engines.restoring import shown
from unlearned.engines.sampling import RowSampler, RowSettings, Token, scored_token
from unlearned.engines.transformers import TransformersEngine, as_read, as_set
from unlearned.stages import PromptInput

SCORED_AT_ONCE = 2**27
"""Logits of one scoring forward (512 MB in float32)."""


class Row(Protocol):
    """One answer in the making."""

    @property
    def prompt(self) -> PromptInput: ...

    @property
    def settings(self) -> RowSettings: ...

    def receive(self, token: Token) -> bool:
        """Take the next token; True if the answer ends with it."""
        ...

    def wanted(self) -> bool:
        """False once nobody waits for the answer any more."""
        ...


class RowwiseEngine(TransformersEngine):
    """Continues the rows of a batch independently of each other. The model is driven by its own `generate`."""

    def end_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return frozenset(as_set(self._setting("eos_token_id", {})))

    @torch.inference_mode()
    def continue_rows(self, rows: Sequence[Row]) -> None:
        """Answer all rows in one batch, flagged or not.

        The greedy rows are what `generate` gives for this batch. The call returns when every row has ended.

        Raises:
            InjectionError: the corrupted embeddings did not reach the model. No token is handed over that was computed
                without them.
        """
        inputs = [row.prompt for row in rows]
        ids, attention, first = self.left_padded(inputs)
        extra: dict[str, Any] = {"disable_compile": True} if any(prompt.corrupted for prompt in inputs) else {}
        if len(inputs) > 1:  # a prompt alone is the plain model's own path to the last bit
            extra |= keep_last_logits(self.model)
        with self.armed(ids, inputs, first) as injection:
            steps = _Steps(rows, ids.shape[1], injection)
            self.model.generate(
                input_ids=ids,
                attention_mask=attention,
                pad_token_id=self.pad_id,
                do_sample=False,
                num_beams=1,
                max_new_tokens=max(row.settings.max_new_tokens for row in rows),
                logits_processor=[steps.choose],
                stopping_criteria=[steps.hand_over],
                **extra,
            )

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
        with self.armed(ids, inputs, [0] * len(inputs)):
            logits: Tensor = self.model(input_ids=ids, attention_mask=attention, use_cache=False).logits  # (B, S, V)
        for row, (prompt, count) in enumerate(zip(inputs, top, strict=True)):
            tokens = [Token(prompt.token_ids[0])]
            for place, (own, said) in enumerate(zip(prompt.token_ids[1:], as_read(prompt)[1:], strict=True)):
                scored = scored_token(said, logits[row, place].float().log_softmax(-1), count)
                tokens.append(scored if prompt.substitution is None else shown(scored, own, prompt.substitution))
            yield tokens


class _Steps:
    """What happens to each row at each step of one `generate`."""

    def __init__(self, rows: Sequence[Row], length: int, injection: Any) -> None:
        self.rows = rows
        self.length = length  # of the padded prompts
        self.injection = injection
        self.alive = [True] * len(rows)
        self.sampler = RowSampler([row.settings for row in rows])

    def choose(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`generate`'s logits processor: (B, V) logits whose argmax it takes."""
        return self.sampler(scores, self.alive)

    def hand_over(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """`generate`'s stopping criterion: (B,) bool, which rows have ended."""
        if self.injection is not None:
            self.injection.verify()  # before anybody sees the token
        for row, token_id in enumerate(input_ids[:, -1].tolist()):
            if self.alive[row]:
                owner = self.rows[row]
                self.alive[row] = owner.wanted() and not owner.receive(self.sampler.token(row, token_id))
        return torch.tensor([not lives for lives in self.alive], device=input_ids.device)
