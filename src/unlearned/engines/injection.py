"""Put corrupted embeddings into one `forward`/`generate` call of a transformers model, by the only hooks that do so.

How: a pre-hook on the model works out which prompt positions this forward covers and replaces the token ids at
corrupted positions by one plain token, so that nothing that reads ids (per-layer embeddings, hash routing, n-grams)
sees what was there; a hook on the input-embedding module then overwrites those rows with the corrupted vectors.
`generate`'s own running ids, its logits processors and every other row stay as they are.

The rules it obeys, each broken by at least one architecture if ignored:
 1. Hook the inner model: with PEFT, `generate` calls the base model and a hook on the wrapper never fires.
 2. Take any module that `get_input_embeddings()` returns, and verify that it was called.
 3. Align by content: ids may reach the embedding as (B, S), (S, B), behind a prefix or before padding; other calls are
    left alone.
 4. Do not guess prefill from S > 1, from the first call or from the cache alone. Count positions from where the call
    starts; a call that is one longer than the last full one and begins with the prompt is a cache-less re-forward, and
    one with a memory (`mems`) reads the last tokens again: it starts where the memory ends.
 5. The vectors are made once per request, so re-forwards, chunks and beams all meet the same ones.
 6. The substitute is a plain token, never padding and never a multimodal placeholder.
 7. Handles are removed in `finally`, only our own; another thread's forward on the same model passes untouched.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from unlearned.engines.caches import cached_tokens, given_cache
from unlearned.errors import InjectionError, UnsupportedModelError
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class EmbeddingInjection:
    """Context manager, armed for one `generate` or `forward` call of a padded batch.

    Args:
        model: the user's model, PEFT-wrapped or not.
        input_ids: (B, L) int64, the padded prompts as they are handed to the model.
        inputs: the B prompts; those without positions stay untouched.
        first_token: (B,) where each prompt starts in its row (its amount of left padding).
        substitute_id: the id that side paths see at corrupted positions.

    Raises:
        InjectionError: on leaving, if the vectors did not reach the model; the output must not be used.
    """

    def __init__(
        self,
        model: nn.Module,
        input_ids: Tensor,
        inputs: Sequence[PromptInput],
        first_token: Sequence[int],
        substitute_id: int,
    ) -> None:
        self.model = inner_model(model)
        self.embedding = embedding_module(model)
        self.substitute_id = substitute_id
        self.prompt_ids = input_ids
        self.mask = torch.zeros(input_ids.shape, dtype=torch.bool)  # (B, L)
        rows = []
        for row, (prompt, first) in enumerate(zip(inputs, first_token, strict=True)):
            if prompt.positions is not None and prompt.vectors is not None:
                self.mask[row, prompt.positions + first] = True
                rows.append(prompt.vectors)
        if not rows:
            raise InjectionError("No prompt of this batch is corrupted. Call the model itself.")
        self.vectors = torch.cat(rows)  # (N, D), in the row-major order of `mask`
        self.injections = 0
        self._thread = threading.get_ident()
        self._handles: list[RemovableHandle] = []
        self._next_position: int | None = None
        self._last_full_length = 0
        self._pending: tuple[Tensor, Tensor, Tensor] | None = None  # ids as the model sees them, mask, vectors
        self._may_skip = False  # what is pending lies in the cache as well

    def __enter__(self) -> EmbeddingInjection:
        try:
            self._handles.append(self.model.register_forward_pre_hook(self._before_forward, with_kwargs=True))
            self._handles.append(self.embedding.register_forward_hook(self._after_embedding, with_kwargs=True))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._remove()
        if error is None:
            self.verify()

    def verify(self) -> None:
        """Raise `InjectionError` unless all vectors so far reached the model; for who gives out tokens early."""
        self._refuse_pending()
        if not self.injections:
            raise InjectionError("The corrupted embeddings never reached the model; its output was discarded.")

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _refuse_pending(self) -> None:
        if self._may_skip:
            self._pending, self._may_skip = None, False
        if self._pending is not None:
            raise InjectionError(
                f"{type(self.model).__name__} did not look up its corrupted tokens in {type(self.embedding).__name__}; "
                "the prompt would have been answered unprotected."
            )

    def _before_forward(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        # torch marks a hook as taking kwargs after it has added it: another thread's forward may call it without.
        if threading.get_ident() != self._thread or kwargs is None:
            return None
        self._refuse_pending()
        ids = kwargs.get("input_ids", args[0] if args else None)
        if not isinstance(ids, Tensor) or ids.dim() != 2:
            if self._next_position is None:
                raise InjectionError(f"{type(self.model).__name__} was called without input_ids; cannot corrupt them.")
            return None
        cache = given_cache(kwargs)
        held = cached_tokens(cache)
        start = self._start_of(ids, kwargs.get("mems"), cache, held)
        mask, vectors = self._covered(start, ids)
        if not mask.any():
            return None
        # xlm is given all tokens again, and itself reads only those that its cache does not hold.
        self._may_skip = start == 0 and bool(held) and not mask[:, held:].any()
        seen = ids.masked_fill(mask.to(ids.device), self.substitute_id)
        self._pending = (seen, mask, vectors)
        if "input_ids" in kwargs:
            return args, {**kwargs, "input_ids": seen}
        return (seen, *args[1:]), kwargs

    def _start_of(self, ids: Tensor, mems: Any, cache: Any, held: int | None) -> int:
        """The prompt position of the first token of this forward (rule 4).

        Args:
            ids: (rows, S) what the forward is given.
            mems: xlnet's memory.
            cache: what it is given of earlier tokens.
            held: how many these are, if it says so.
        """
        batch, length = self.prompt_ids.shape
        rows, size = ids.shape
        if rows % batch:
            raise InjectionError(f"A forward of {rows} rows cannot be matched with {batch} prompts.")
        grown_by_one = size == self._last_full_length + 1
        if self._next_position is None:
            start = held or 0
        elif size > length and (grown_by_one or not held) and self._begins_with_prompt(ids):
            start = 0
        elif mems:  # one that has dropped tokens only bounds the start
            start = max(len(mems[0]), self._next_position - size)
        elif held is not None and held < self._next_position:
            start = held  # taken back, as assisted decoding does with guesses that were wrong
        elif cache is None and size > 1 and self._next_position >= length:
            raise InjectionError(
                f"{type(self.model).__name__} was called with {size} tokens and no cache after its prompt; what they "
                "are cannot be told, so the output was discarded."
            )
        else:
            start = self._next_position
        if start == 0 and size >= length:
            self._last_full_length = size
        self._next_position = start + size
        return start

    def _begins_with_prompt(self, ids: Tensor) -> bool:
        prompts = self.prompt_ids.to(ids.device).repeat_interleave(len(ids) // len(self.prompt_ids), dim=0)
        return torch.equal(ids[:, : prompts.shape[1]], prompts)

    def _covered(self, start: int, ids: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, S) mask of corrupted positions within this forward, and their vectors in row-major order."""
        rows, size = ids.shape
        length = self.mask.shape[1]
        mask = torch.zeros((rows, size), dtype=torch.bool)
        stop = min(start + size, length)
        if start >= stop:
            return mask, self.vectors[:0]
        copies = rows // len(self.mask)  # beams and num_return_sequences repeat every prompt
        window = self.mask[:, start:stop]
        mask[:, : stop - start] = window.repeat_interleave(copies, dim=0)
        expected = self.prompt_ids[:, start:stop].cpu().repeat_interleave(copies, dim=0)
        covered = mask[:, : stop - start]
        # All of them, not only the corrupted ones: a wrong start shows before a vector lands in a wrong place.
        if not torch.equal(ids[:, : stop - start].cpu(), expected):
            raise InjectionError("The model was called with other tokens than the prompt's; cannot place the vectors.")
        index = torch.full(self.mask.shape, -1, dtype=torch.long)
        index[self.mask] = torch.arange(len(self.vectors))
        return mask, self.vectors[index[:, start:stop].repeat_interleave(copies, dim=0)[covered]]

    def _after_embedding(self, module: nn.Module, args: tuple[Any, ...], *rest: Any) -> Tensor | None:
        if threading.get_ident() != self._thread or self._pending is None:
            return None  # `rest` may be short here, see above
        kwargs, output = rest
        if not isinstance(output, Tensor):
            return None
        looked_up = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
        if looked_up is None:
            return None
        seen, mask, vectors = self._pending
        corrupted = output.clone()
        view = _aligned(corrupted, looked_up, seen.to(looked_up.device))
        if view is None:
            return None  # a placeholder or another modality
        view[mask.to(corrupted.device)] = vectors.to(corrupted)
        self._pending = None
        self.injections += 1
        return corrupted


def inner_model(model: Any) -> Any:
    """The module whose `forward` really runs: PEFT wrappers are taken off (rule 1)."""
    get_base_model = getattr(model, "get_base_model", None)
    base = get_base_model() if callable(get_base_model) else model
    return base if isinstance(base, nn.Module) else model


def embedding_module(model: nn.Module) -> nn.Module:
    """What `get_input_embeddings()` returns, if it is a module that can be called with token ids.

    Raises:
        UnsupportedModelError: there is none.
    """
    inner = inner_model(model)
    try:
        module = inner.get_input_embeddings()
    except (AttributeError, NotImplementedError) as error:
        raise UnsupportedModelError(f"{type(inner).__name__} has no input embeddings to corrupt.") from error
    if not isinstance(module, nn.Module) or isinstance(module, nn.ModuleList):
        raise UnsupportedModelError(
            f"{type(inner).__name__}.get_input_embeddings() returns {type(module).__name__}, not one embedding module."
        )
    return module


def _aligned(output: Tensor, looked_up: Tensor, seen: Tensor) -> Tensor | None:
    """The part of an embedding's output that belongs to the ids `seen` (rows, S), as (rows, S, D); rule 3."""
    if looked_up.shape == seen.shape and torch.equal(looked_up, seen):
        return output
    if looked_up.shape == seen.T.shape and torch.equal(looked_up, seen.T):  # xlnet: (S, B)
        return output.transpose(0, 1)
    size = seen.shape[1]
    if looked_up.dim() == 2 and len(looked_up) == len(seen) and looked_up.shape[1] > size:
        if torch.equal(looked_up[:, -size:], seen):  # cpmant: a prefix of its own before the prompt
            return output[:, -size:]
        if torch.equal(looked_up[:, :size], seen):  # reformer: padded to whole chunks
            return output[:, :size]
    return None
