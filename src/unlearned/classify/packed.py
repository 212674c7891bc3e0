"""BERT's forward pass on a CPU, without padding and without bookkeeping: what most sentence encoders are.

A decision about a short prompt is one pass of a small encoder, most of which is reading its weights once. Here the
three projections of attention are one product, texts of a batch stand behind each other instead of being filled up to
the longest, and nothing is asked of a configuration on the way. The numbers are those of transformers' `BertModel`, up
to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, linear, scaled_dot_product_attention


@dataclass(frozen=True, slots=True, eq=False)
class _Affine:
    """Weight and bias: of a product or of a normalisation."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, module: Any) -> _Affine:
        return cls(module.weight.detach(), module.bias.detach())

    def __call__(self, states: Tensor) -> Tensor:
        return linear(states, self.weight, self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One layer's weights, in the order of their use."""

    attend: _Affine
    """(3 D, D) query, key and value."""

    merge: _Affine
    norm: _Affine
    widen: _Affine
    narrow: _Affine
    last_norm: _Affine

    @classmethod
    def of(cls, layer: Any) -> _Layer:
        heads = [layer.attention.self.query, layer.attention.self.key, layer.attention.self.value]
        weight, bias = torch.cat([h.weight.detach() for h in heads]), torch.cat([h.bias.detach() for h in heads])
        for head, own in zip(heads, weight.chunk(3), strict=True):
            head.weight.data = own  # the model goes on with these: nothing is in memory twice
        return cls(
            _Affine(weight, bias),
            _Affine.of(layer.attention.output.dense),
            _Affine.of(layer.attention.output.LayerNorm),
            _Affine.of(layer.intermediate.dense),
            _Affine.of(layer.output.dense),
            _Affine.of(layer.output.LayerNorm),
        )


class PackedBert:
    """The last hidden states of a `BertModel`.

    Args:
        model: one that `takes` accepts. It stays as it is; the weights are shared.

    Attributes:
        words: (V, D) embeddings of the tokens.
    """

    def __init__(self, model: Any) -> None:
        config, tables = model.config, model.embeddings
        self._heads: int = config.num_attention_heads
        self._epsilon: float = config.layer_norm_eps
        self.words: Tensor = tables.word_embeddings.weight.detach()
        self._places = (tables.position_embeddings.weight + tables.token_type_embeddings.weight[0]).detach()
        self._norm = _Affine.of(tables.LayerNorm)
        self._layers = [_Layer.of(layer) for layer in model.encoder.layer]

    @staticmethod
    def takes(model: Any) -> bool:
        """Whether it is a BERT in float32 on the CPU, as published: nothing wrapped around it or put into it."""
        from transformers import BertModel

        if type(model) is not BertModel:
            return False
        config = model.config
        return bool(
            model.device.type == "cpu"
            and model.dtype == torch.float32
            and not model.training
            and config.hidden_act == "gelu"
            and not config.is_decoder
            and getattr(config, "position_embedding_type", None) in (None, "absolute")
        )

    @torch.inference_mode()
    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(N, L) token ids and their mask -> (N, L, D) hidden states, 0 where there is padding."""
        real = mask.bool()
        places = torch.arange(ids.shape[1]).expand(ids.shape)[real]
        states = self._normalised(embedding(ids[real], self.words) + self._places[places], self._norm)
        for layer in self._layers:
            seen = self._attention(layer.attend(states), real)
            states = self._normalised(layer.merge(seen).add_(states), layer.norm)
            wide = gelu(layer.widen(states))
            states = self._normalised(layer.narrow(wide).add_(states), layer.last_norm)
        return _padded(states, real)

    def _attention(self, projected: Tensor, real: Tensor) -> Tensor:
        """(T, 3 D) -> (T, D); each text attends to itself. One call for all of them, so padded, but that is little."""
        count, length = real.shape
        split = _padded(projected, real).view(count, length, 3, self._heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # (N, H, L, D / H) each
        hidden = real[:, None, None] if len(projected) < real.numel() else None
        seen = scaled_dot_product_attention(query, key, value, attn_mask=hidden)
        return seen.transpose(1, 2).flatten(2)[real]

    def _normalised(self, states: Tensor, norm: _Affine) -> Tensor:
        return layer_norm(states, (states.shape[-1],), norm.weight, norm.bias, self._epsilon)


def _padded(rows: Tensor, real: Tensor) -> Tensor:
    """(T, W) rows of the T real places of (N, L) -> (N, L, W), 0 elsewhere."""
    if len(rows) == real.numel():
        return rows.view(*real.shape, -1)
    padded = rows.new_zeros(*real.shape, rows.shape[1])
    padded[real] = rows
    return padded
