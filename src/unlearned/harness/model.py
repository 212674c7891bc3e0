"""`unlearned` as a model of lm-evaluation-harness: its own `hf` model, with corrupted embeddings in flagged rows.

Batching, padding, truncation and scoring are the harness's. Importing this file registers the model:

    import unlearned.harness.model
    lm_eval.simple_evaluate("unlearned", {"pretrained": "...", "artifact": "..."}, tasks=[...])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from tqdm import tqdm

from unlearned.api import Unlearned
from unlearned.artifact.loading import Given
from unlearned.benchmarks.verdicts import Verdicts
from unlearned.engines.base import Completion
from unlearned.engines.injection import EmbeddingInjection
from unlearned.engines.restoring import restored
from unlearned.engines.transformers import REFUSED, as_set
from unlearned.engines.watching import says_unasked
from unlearned.errors import ConfigError, InjectionError
from unlearned.harness.contexts import Contexts
from unlearned.models import EMBEDDED, ModelOptions, load_model, missing_device
from unlearned.substitution.substitution import replaced
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Request = tuple[tuple[str, str] | None, list[int], list[int]]
"""(context and continuation, tokens of the context, tokens of the continuation); no texts in rolling requests."""

Row = tuple[int, ...]
"""Tokens of one row of a batch without its padding, by which it is recognised; see `_row`."""


@register_model("unlearned")
class UnlearnedLM(HFLM):  # type: ignore[misc]
    """lm-eval's `hf` model, answering as if it had never seen what the artifacts name.

    Only contexts are classified and disturbed, never a continuation that is scored. Where strangers stand for words of
    a context, they stand for them in its continuation, too: the system's answers are turned back, so this is the
    probability that it says the continuation. So the log-likelihood of a text
    without a context (`loglikelihood_rolling`) is the original model's, and so is every request that is not flagged, to
    the last bit: batches are the same as without artifacts.

    Args:
        pretrained: as for `hf`; also "embedded".
        artifact: an artifact of scopes, its folder, or several of either. None: nothing is enforced.
        verdicts: folder where verdicts are kept, for other processes and other strengths of the same detector; made if
            it is not there. None: they are remembered as long as this object lives.
        settings: everything that `hf` takes.

    Raises:
        ConfigError: the model is no causal language model, or something stands in front of its prompts.
        UnsupportedModelError: a corruption would not reach this model reliably.
    """

    def __init__(
        self,
        pretrained: str | PreTrainedModel,
        artifact: Given | None = None,
        verdicts: str | Path | None = None,
        **settings: Any,
    ) -> None:
        if pretrained == EMBEDDED:
            placed = {name: settings[name] for name in ("device", "dtype") if settings.get(name)}
            if "device" in placed and missing_device(placed["device"]):  # lm-eval's default is cuda, also without one
                placed["device"] = "cpu"
            pretrained, settings["tokenizer"] = load_model(ModelOptions(model=EMBEDDED, **placed))
        super().__init__(pretrained, **settings)
        if self.backend != "causal":
            raise ConfigError(f"The harness takes this model for {self.backend}; only causal language models work.")
        llm = Unlearned(self.model, self.tokenizer, [] if artifact is None else artifact)
        if llm.enforced.lengthens:
            raise ConfigError(
                "The harness scores by its own tokens, so nothing may stand in front of them: leave out soft prompts "
                "and instructions."
            )
        self.contexts = Contexts(llm, None if verdicts is None else Verdicts(Path(verdicts)))
        self._rows: dict[Row, PromptInput | None] | None = None
        self._batch: list[str] | None = None

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        text: str = super().apply_chat_template(chat_history, add_generation_prompt)
        self.contexts.rendered(text, chat_history)
        return text

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        """Score continuations.

        A row of a batch is recognised by its tokens. Where two requests make the same row of different contexts, of
        which not the same is corrupted, those that are left over are scored once more by themselves.
        """
        self._look([_context(request) for request in requests], disable_tqdm)
        requests = [self._as_said(request) for request in requests]
        rows = [_row((context + target)[-(self.max_length + 1) :][:-1]) for _, context, target in requests]
        inputs = [self._input(request) for request in requests]
        ways: dict[Row, dict[int, PromptInput | None]] = {}  # the plain one first, so that its batches are lm-eval's
        for row, given in sorted(zip(rows, inputs, strict=True), key=lambda pair: pair[1] is not None):
            ways.setdefault(row, {}).setdefault(id(given), given)
        turns = [list(ways[row]).index(id(given)) for row, given in zip(rows, inputs, strict=True)]
        results: list[tuple[float, bool]] = []
        for turn in range(max(turns, default=0) + 1):
            chosen = [n for n in range(len(requests)) if turn in (0, turns[n])]
            self._rows = {row: list(way.values())[turn] for row, way in ways.items() if len(way) > turn}
            try:
                found = super()._loglikelihood_tokens([requests[n] for n in chosen], disable_tqdm, override_bs)
            finally:
                self._rows = None
            if turn == 0:
                results = list(found)
            else:
                for n, result in zip(chosen, found, strict=True):
                    results[n] = result
        return results

    def _as_said(self, request: Request) -> Request:
        """The request as the model has to say it: where strangers stand for words, in its continuation as well."""
        texts, context, target = request
        given = self._input(request)
        substitution = None if given is None else given.substitution
        if substitution is None:
            return request
        text = self.tok_decode(target, skip_special_tokens=False)
        pieces = substitution.away(text)
        return (texts, context, list(substitution.pieces.ids(replaced(text, pieces)))) if pieces else request

    def _input(self, request: Request) -> PromptInput | None:
        """What of a request's context is corrupted, as far as the model gets to read it."""
        _, context, target = request
        cut = max(len(context) + len(target) - (self.max_length + 1), 0)
        return self.contexts.placed(_context(request), context[cut:])

    def _model_call(self, inps: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self._rows is None:
            raise InjectionError("The harness called the model outside of a request; nothing was scored.")
        try:
            inputs = [self._rows[_row(row)] for row in inps.tolist()]
        except KeyError:
            raise InjectionError("The harness changed a request's tokens; its context cannot be protected.") from None
        with self._armed(inps, inputs, [0] * len(inputs)):
            logits: torch.Tensor = super()._model_call(inps, *args, **kwargs)
            return logits

    def _detect_batch_size(self, requests: Sequence[Any] | None = None, pos: int = 0) -> int:
        rows, self._rows = self._rows, _Anything()  # batches of ones, to see what fits into memory
        try:
            return int(super()._detect_batch_size(requests, pos))
        finally:
            self._rows = rows

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        self._look([request.args[0] for request in requests], disable_tqdm)
        answers: list[str] = super().generate_until(requests, disable_tqdm)
        return answers

    def tok_batch_encode(self, strings: list[str], *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        self._batch = list(strings)
        encoded: tuple[torch.Tensor, torch.Tensor] = super().tok_batch_encode(strings, *args, **kwargs)
        return encoded

    def _model_generate(
        self, context: torch.Tensor, max_length: int, stop: list[str], **generation_kwargs: Any
    ) -> torch.Tensor:
        mask, texts = generation_kwargs.get("attention_mask"), self._batch
        self._batch = None
        if mask is None or texts is None or len(texts) != len(context):
            raise InjectionError("The harness generates from a batch whose contexts are not known.")
        given = generation_kwargs.keys() - {"attention_mask"}
        if bypassing := [name for name in (*REFUSED, "guidance_scale") if name in given]:
            raise ConfigError(f"{bypassing[0]!r} would let the model read contexts unchecked. Leave it out.")
        first = (mask.shape[1] - mask.sum(dim=1)).tolist()
        seen = [row[start:] for row, start in zip(context.tolist(), first, strict=True)]
        inputs = [self.contexts.placed(text, ids) for text, ids in zip(texts, seen, strict=True)]
        if any(inputs):
            generation_kwargs["disable_compile"] = True  # a compiled forward does not run Python hooks on replay
        with self._armed(context, inputs, first):
            output: torch.Tensor = super()._model_generate(context, max_length, stop, **generation_kwargs)
        start, rows = context.shape[1], output.tolist()
        settings = {name: generation_kwargs[name] for name in given} | {"max_new_tokens": max_length - start}
        for place, (text, ids) in enumerate(zip(texts, seen, strict=True)):
            prompt = inputs[place] or PromptInput(tuple(ids))
            prompt = replace(prompt, guard=self.contexts.guard(text))
            rows[place][start:] = self._answer(prompt, tuple(rows[place][start:]), settings)
        longest = max(map(len, rows))
        padded = [[*row, *[self.tokenizer.pad_token_id or 0] * (longest - len(row))] for row in rows]
        return torch.tensor(padded, device=output.device)

    def _answer(self, prompt: PromptInput, said: tuple[int, ...], settings: dict[str, Any]) -> tuple[int, ...]:
        """The tokens of an answer as the user reads it: the harness's own, unless it says what it may not."""
        engine = self.contexts.llm.engine
        ends = as_set(engine.setting("eos_token_id", settings))
        answer = list(takewhile(lambda token: token not in ends, said))
        if prompt.guard is None or not says_unasked(prompt.guard, prompt.substitution, engine.token_bytes, answer):
            return restored(Completion("", said), prompt.substitution, self.tokenizer).token_ids
        (again,) = engine.generate([prompt], batch_size=1, **settings)
        return again.token_ids

    @contextmanager
    def _armed(self, ids: torch.Tensor, inputs: Sequence[PromptInput | None], first: Sequence[int]) -> Iterator[None]:
        if not any(inputs):
            yield  # the original model's own path, without any hook
            return
        batch = [given or PromptInput(()) for given in inputs]
        with EmbeddingInjection(self.model, ids, batch, first, self.contexts.llm.engine.substitute_id):
            yield

    def _look(self, texts: Sequence[str], disable_tqdm: bool) -> None:
        if new := self.contexts.new(texts):
            with tqdm(total=len(new), desc="Checking contexts", disable=disable_tqdm or self.rank != 0) as bar:
                self.contexts.look(new, bar.update)


class _Anything(dict[Row, PromptInput | None]):
    """Rows that may all pass: they hold nobody's words."""

    def __missing__(self, row: Row) -> None:
        return None


def _row(token_ids: Sequence[int]) -> Row:
    """A row of a batch, to be recognised among others: the zeros at its end may be padding, so they do not count."""
    end = len(token_ids)
    while end and token_ids[end - 1] == 0:
        end -= 1
    return tuple(token_ids[:end])


def _context(request: Request) -> str:
    """What a continuation is scored after; the harness counts white space at its end to the continuation."""
    return "" if request[0] is None else request[0][0].rstrip()
