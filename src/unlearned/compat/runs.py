"""One batch on one model, three ways: plain, injected, and the independent reference that the injection must equal.

The reference needs no hook and no surgery at run time: every corrupted vector is, by construction, the embedding of a
*reserved* token id that no prompt uses and no run may generate. The original model reading the reserved ids is what the
injection of their vectors must reproduce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unlearned.compat.tiny import SPECIAL, VOCABULARY
from unlearned.engines.caches import cached_tokens, given_cache
from unlearned.engines.injection import EmbeddingInjection, embedding_module, inner_model
from unlearned.engines.transformers import plain_token_id
from unlearned.types import PromptInput

PLAIN = range(SPECIAL, 70)  # what prompts consist of, and the only ids that a run may generate
RESERVED = range(100, 120)
PAD = 0


@dataclass(frozen=True, slots=True)
class TinyBatch:
    """Prompts, and which positions of which row are corrupted."""

    rows: tuple[tuple[int, ...], ...]
    flagged: int
    positions: tuple[int, ...]

    @property
    def starts(self) -> list[int]:
        """(B,) the left padding of each row."""
        return [max(map(len, self.rows)) - len(row) for row in self.rows]

    def with_tokens(self, tokens: Sequence[int]) -> TinyBatch:
        """The batch with other ids at the corrupted positions."""
        row = list(self.rows[self.flagged])
        for position, token in zip(self.positions, tokens, strict=True):
            row[position] = token
        return replace(self, rows=(*self.rows[: self.flagged], tuple(row), *self.rows[self.flagged + 1 :]))


@dataclass(frozen=True, slots=True, eq=False)
class CompatRun:
    """What one `generate` call gave."""

    tokens: Tensor
    """(B, copies, new)"""

    logits: Tensor
    """(B, copies or beams, new, V), before any logits processor"""

    injections: int
    forwards: tuple[int, ...]
    """Tokens that each forward was given, without those that its cache held (xlm is given all of them each time)."""


class TinySubject:
    """A tiny model and the token ids it is tested with."""

    def __init__(self, model: nn.Module) -> None:
        self.model: Any = model
        self.inner = inner_model(model)
        self.embedding = embedding_module(model)
        self.substitute = plain_token_id(model, special=())
        self._stretch_reserved()
        self.hashes_ids = self._align_side_paths()

    def reserved(self, count: int) -> list[int]:
        """Ids whose embeddings are the corrupted vectors.

        Where ids are hashed, only the substitute itself looks to every side path as the substitute does.
        """
        return [self.substitute] * count if self.hashes_ids else list(RESERVED[:count])

    @torch.inference_mode()
    def vectors(self, count: int) -> Tensor:
        """(count, D) embeddings of the reserved ids, which stand for corrupted vectors."""
        return self.embedding(torch.tensor([self.reserved(count)]))[0].clone()  # type: ignore[no-any-return]

    def plain(self, batch: TinyBatch, **generation: Any) -> CompatRun:
        """Run without any corruption."""
        return self._generate(batch, None, generation)

    def reference(self, batch: TinyBatch, **generation: Any) -> CompatRun:
        """The original model reading the reserved ids."""
        return self._generate(batch.with_tokens(self.reserved(len(batch.positions))), None, generation)

    def injected(self, batch: TinyBatch, **generation: Any) -> CompatRun:
        """The real ids, with the vectors of the reserved ones injected."""
        return self._generate(batch, self.injection(batch), generation)

    def injection(self, batch: TinyBatch) -> EmbeddingInjection:
        """Not entered yet."""
        prompts = [PromptInput(row) for row in batch.rows]
        prompts[batch.flagged] = PromptInput(
            batch.rows[batch.flagged],
            positions=torch.tensor(batch.positions),
            vectors=self.vectors(len(batch.positions)),
        )
        return EmbeddingInjection(self.model, self.ids(batch), prompts, batch.starts, self.substitute)

    def ids(self, batch: TinyBatch) -> Tensor:
        """(B, L) int64, left-padded."""
        return torch.tensor([[PAD] * gap + list(row) for gap, row in zip(batch.starts, batch.rows, strict=True)])

    def hook_count(self) -> int:
        """Forward hooks and pre-hooks anywhere in the model."""
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in self.model.modules())

    @torch.inference_mode()
    def _generate(
        self, batch: TinyBatch, injection: EmbeddingInjection | None, generation: Mapping[str, Any]
    ) -> CompatRun:
        ids = self.ids(batch)
        arguments: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": torch.tensor([[0] * gap + [1] * (ids.shape[1] - gap) for gap in batch.starts]),
            "max_new_tokens": 6,
            "do_sample": False,
            "pad_token_id": PAD,
            "suppress_tokens": [token for token in range(VOCABULARY) if token not in PLAIN],
            "output_logits": True,
            "return_dict_in_generate": True,
            **generation,
        }
        sizes: list[int] = []

        def note_size(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen = kwargs.get("input_ids", args[0] if args else None)
            size, held = seen.shape[1] if isinstance(seen, Tensor) else 0, cached_tokens(given_cache(kwargs)) or 0
            sizes.append(size - held if size > held else size)

        torch.manual_seed(0)
        counter = self.inner.register_forward_pre_hook(note_size, with_kwargs=True)
        try:
            if injection is None:
                output = self.model.generate(**arguments)
            else:
                with injection:
                    output = self.model.generate(**arguments)
        finally:
            counter.remove()
        logits = torch.stack(output.logits, dim=1)
        return CompatRun(
            tokens=output.sequences[:, ids.shape[1] :].reshape(len(ids), -1, len(output.logits)),
            logits=logits.reshape(len(ids), -1, *logits.shape[1:]),
            injections=injection.injections if injection else 0,
            forwards=tuple(sizes),
        )

    @torch.no_grad()
    def _stretch_reserved(self) -> None:
        """Make the corrupted vectors unlike any token's: four times as long."""
        for table in self._own_tables():
            table[RESERVED.start : RESERVED.stop] *= 4

    @torch.no_grad()
    def _align_side_paths(self) -> bool:
        """Let other tables by token id give reserved ids what they give the substitute. True = that is not enough.

        The injection shows side paths the substitute, so the reference has to as well.
        """
        own = {id(table) for table in self._own_tables()}
        for table in (*self.inner.parameters(), *self.inner.buffers()):
            if id(table) not in own and table.dim() > 0 and len(table) in (VOCABULARY, self._rows()):
                table[RESERVED.start : RESERVED.stop] = table[self.substitute].clone()
        if not own:
            return False
        saved = [table.clone() for table in self._own_tables()]
        try:
            for table in self._own_tables():
                table[RESERVED.start : RESERVED.stop] = table[self.substitute].clone()
            row, other = [*PLAIN[:6]], [*PLAIN[:6]]
            row[2:4], other[2:4] = [self.substitute] * 2, RESERVED[:2]
            ids = torch.tensor([row, other])
            logits = self.inner(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            return not torch.allclose(logits[0], logits[1], atol=1e-5, rtol=0.0)
        finally:
            for table, before in zip(self._own_tables(), saved, strict=True):
                table.copy_(before)

    def _rows(self) -> int:
        return max((len(table) for table in self._own_tables()), default=VOCABULARY)

    def _own_tables(self) -> list[Tensor]:
        """The input embedding's parameters that have a row for every token id."""
        return [p for p in self.embedding.parameters() if p.dim() == 2 and len(p) >= VOCABULARY]
