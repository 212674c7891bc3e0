"""What a method's loss is computed from: one step's batches, run through the trained model and the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from unlearned.methods.data import Batch
from unlearned.methods.losses import KLMask, cross_entropy, kl_from_reference, kl_positions
from unlearned.methods.reference import Reference


class Step:
    """One batch of every stream. Each forward pass is made on first use, and once.

    Args:
        model: what is trained, wrapped for distributed training or not.
        batches: by stream.
        reference: the start model; None for methods that need none.
        epoch: counted from 0.
        seed: of the run, for what a method draws once and for all.
    """

    def __init__(
        self,
        model: Any,
        batches: Mapping[str, Batch],
        reference: Reference | None = None,
        *,
        epoch: int = 0,
        seed: int = 0,
    ) -> None:
        self.model, self.batches, self.reference = model, batches, reference
        self.epoch, self.seed = epoch, seed
        self._made: dict[tuple[str, str, int | None], Tensor] = {}

    def labels(self, stream: str) -> Tensor:
        """(B, T) int64, -100 where there is no target."""
        return self.batches[stream].labels

    def logits(self, stream: str) -> Tensor:
        """(B, T, V) of the trained model, with gradient."""
        return self._pass("model", stream, None)

    def reference_logits(self, stream: str) -> Tensor:
        """(B, T, V) of the reference, without gradient."""
        return self._pass("reference", stream, None)

    def hidden(self, stream: str, layer: int) -> Tensor:
        """(B, T, D) output of decoder layer `layer`, counted from 0, with gradient."""
        return self._pass("model", stream, layer)

    def reference_hidden(self, stream: str, layer: int) -> Tensor:
        """(B, T, D) the same of the reference, without gradient."""
        return self._pass("reference", stream, layer)

    def ce(self, stream: str) -> Tensor:
        """Cross-entropy of the stream's targets, their token-weighted mean."""
        return cross_entropy(self.logits(stream), self.labels(stream))

    def kl(self, stream: str, mask: KLMask = "attention", temperature: float = 1.0) -> Tensor:
        """KL(reference || current) on the stream, averaged over the positions that `mask` names."""
        batch = self.batches[stream]
        reference = self.reference_logits(stream)
        where = kl_positions(batch.attention_mask, batch.labels, mask)
        return kl_from_reference(self.logits(stream), reference, where, temperature)

    def mask(self, stream: str, kind: KLMask) -> Tensor:
        """(B, T) bool: the positions that `kind` names."""
        return kl_positions(self.batches[stream].attention_mask, self.batches[stream].labels, kind)

    def _pass(self, which: str, stream: str, layer: int | None) -> Tensor:
        key = (which, stream, layer)
        if key not in self._made:
            if which == "model":
                self._made[key] = self._call(self.model, stream, layer)
            else:
                if self.reference is None:
                    raise RuntimeError("This method did not ask for a reference: let `needs_reference` be true.")
                with self.reference.active(self.model) as reference:
                    self._made[key] = self._call(reference, stream, layer)
        return self._made[key]

    def _call(self, model: Any, stream: str, layer: int | None) -> Tensor:
        batch = self.batches[stream]
        arguments: dict[str, Any] = {"output_hidden_states": True} if layer is not None else {}
        output = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False, **arguments)
        # The first of the hidden states is the embeddings.
        result: Tensor = output.logits if layer is None else output.hidden_states[layer + 1]
        return result
