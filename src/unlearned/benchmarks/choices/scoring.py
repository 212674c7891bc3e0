"""The logits of the letters at a prompt's last position, and nothing else of the output head.

What the head would read is caught where it stands in the model's own forward, at the last position of each row. Where
the head is a plain matrix product and nothing comes behind it, only the letters' columns are computed; a model that
does more there (a soft cap, a scale) runs on from that one position. Which of the two is right is found out on the
first batch, against the model's own logits. Memory does not grow with vocabulary x length.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

from unlearned.batches import in_order
from unlearned.benchmarks.choices.data import LETTERS
from unlearned.engines.injection import EmbeddingInjection, inner_model
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.types import PromptInput

Way = Literal["columns", "position", "whole"]
WAYS: tuple[Way, ...] = ("columns", "position", "whole")

ROUNDING = 2e-5
"""How far a product of another shape may differ, relative to the largest logit; two units in the last place may be
more. A soft cap or a scale makes far more."""


def letter_tokens(engine: TransformersEngine, letters: str, *, leading_space: bool = True) -> list[int]:
    """Token ids of the letters as they follow "Answer:", each one token; without a leading space, of the letters alone.

    They are read off the tokenised whole, because many tokenizers write a text that begins with a space in another way
    than the same text behind a word. Source: lm-eval scores " A"; arXiv:2406.07933's code scores "A".

    Raises:
        ConfigError: a letter is not one token behind the colon.
    """
    context, space = ("Answer:", " ") if leading_space else ("", "")
    before = engine.tokenizer(context, add_special_tokens=False)["input_ids"]
    found = []
    for letter in letters:
        ids = engine.tokenizer(f"{context}{space}{letter}", add_special_tokens=False)["input_ids"]
        if ids[: len(before)] != before or len(ids) != len(before) + 1:
            raise ConfigError(
                f"The tokenizer writes '{space}{letter}' as several tokens, so it cannot be scored by one logit."
            )
        found.append(int(ids[-1]))
    return found


def batches(prompts: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Indices of prompts of similar length, longest first; the order is that of lm-eval."""
    order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), tuple(prompts[index]), index))
    return in_order(order, [len(prompt) for prompt in prompts], batch_size)


class LetterScorer:
    """Scores batches of prompts on one engine.

    Args:
        engine: runs the model.
        letters: how many letters there are.
        leading_space: whether a letter is scored with the space in front of it.
    """

    def __init__(self, engine: TransformersEngine, letters: int, *, leading_space: bool = True) -> None:
        self.engine = engine
        self.tokens = letter_tokens(engine, LETTERS[:letters], leading_space=leading_space)
        self.way: Way | None = None
        """How; None until the first batch."""

        self._head: Any = inner_model(engine.model).get_output_embeddings()

    @torch.inference_mode()
    def score(self, batch: Sequence[PromptInput]) -> list[tuple[float, ...]]:
        """One forward pass.

        Args:
            batch: B prompts.

        Returns:
            B x letters: logits, as the model's own type rounds them.
        """
        if self.way is None:
            self.way = self._right_way(batch)
        return [tuple(row) for row in self._logits(batch, self.way).float().tolist()]

    def _right_way(self, batch: Sequence[PromptInput]) -> Way:
        """The cheapest way that gives the model's own logits."""
        # Few and short: the whole logits of a long batch are what this module is there to avoid.
        plain = [PromptInput(prompt.token_ids[-8:]) for prompt in batch[:2]]
        ids, last = self._right_padded(plain)
        logits = self.engine.model(input_ids=ids, use_cache=False).logits  # (2, 8, V)
        rows = torch.arange(len(plain), device=logits.device)
        own = logits[rows, last.to(logits.device)][:, self.tokens]
        allowed = max(2 * torch.finfo(own.dtype).eps, ROUNDING) * float(own.abs().max())
        for way in WAYS[:2]:
            try:
                found = self._logits(plain, way)
            except _NoHead:
                continue
            if float((found - own).abs().max()) <= allowed:
                return way
        return "whole"

    def _logits(self, batch: Sequence[PromptInput], way: Way) -> Tensor:
        """(B, letters) in the model's type."""
        if way == "whole":
            return self._whole(batch)
        ids, last = self._right_padded(batch)
        if way == "columns" and not _is_plain(self._head):
            raise _NoHead
        caught = _Head(self._head, last, stop=way == "columns")
        # Padding stands on the right, where no real token looks: without a mask, attention takes its fastest way.
        with caught, self._armed(ids, batch):
            try:
                logits = self.engine.model(input_ids=ids, use_cache=False).logits
            except _Stop:
                logits = None
        if caught.hidden is None:
            raise _NoHead
        columns = torch.tensor(self.tokens, device=caught.hidden.device)
        if logits is None:
            bias = None if self._head.bias is None else self._head.bias[columns]
            return nn.functional.linear(caught.hidden, self._head.weight[columns], bias)
        if logits.shape[:2] != (len(batch), 1):
            raise _NoHead
        first: Tensor = logits[:, 0]
        return first[:, columns.to(logits.device)]

    def _whole(self, batch: Sequence[PromptInput]) -> Tensor:
        """Row by row, so that no other position goes through the head with it."""
        return torch.cat([self.engine.next_token_scores([prompt], self.tokens, batch_size=1) for prompt in batch])

    def _armed(self, ids: Tensor, batch: Sequence[PromptInput]) -> Any:
        if not any(prompt.corrupted for prompt in batch):
            return nullcontext()
        return EmbeddingInjection(self.engine.model, ids, batch, [0] * len(batch), self.engine.substitute_id)

    def _right_padded(self, batch: Sequence[PromptInput]) -> tuple[Tensor, Tensor]:
        """ids (B, T), and the last position of each row (B,)."""
        length = max(len(prompt.token_ids) for prompt in batch)
        rows = [[*p.token_ids, *[self.engine.pad_id] * (length - len(p.token_ids))] for p in batch]
        device = self.engine.model.device
        return torch.tensor(rows, device=device), torch.tensor([len(p.token_ids) - 1 for p in batch], device=device)


def _is_plain(head: Any) -> bool:
    """Whether the head is a product with weights that are here, not packed and not on another device's disk."""
    return type(head) is nn.Linear and head.weight.is_floating_point() and not head.weight.is_meta


class _Stop(Exception):  # noqa: N818 -- nothing is wrong
    """The head is reached, and what comes behind it is not needed."""


class _NoHead(Exception):  # noqa: N818
    """This model's head is not reached in the way that is expected."""


class _Head:
    """While it is entered, the output head reads one position per row.

    Args:
        head: the module that `get_output_embeddings()` returns; None if there is none.
        last: (B,) the position of each row.
        stop: whether the forward ends there.
    """

    def __init__(self, head: nn.Module | None, last: Tensor, *, stop: bool) -> None:
        self.hidden: Tensor | None = None
        """(B, D)"""
        self._head, self._last, self._stop = head, last, stop
        self._thread, self._handle = threading.get_ident(), None

    def __enter__(self) -> _Head:
        if isinstance(self._head, nn.Module):
            self._handle = self._head.register_forward_pre_hook(self._before)  # type: ignore[assignment]
        return self

    def __exit__(self, *error: object) -> None:
        if self._handle is not None:
            self._handle.remove()

    def _before(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if threading.get_ident() != self._thread or not args:
            return None
        hidden = args[0]
        if not isinstance(hidden, Tensor) or hidden.dim() != 3 or len(hidden) != len(self._last):
            return None
        rows = torch.arange(len(hidden), device=hidden.device)
        self.hidden = hidden[rows, self._last.to(hidden.device)]
        if self._stop:
            raise _Stop
        return self.hidden[:, None], *args[1:]
