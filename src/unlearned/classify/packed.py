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
    """

    def __init__(self, model: Any) -> None:
        config, tables = model.config, model.embeddings
        self._heads: int = config.num_attention_heads
        self._epsilon: float = config.layer_norm_eps
        self._words: Tensor = tables.word_embeddings.weight.detach()
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
        count, length = ids.shape
        real = mask.bool()
        sizes = real.sum(dim=1).tolist()
        places = torch.arange(length).expand(count, length)[real]
        states = self._normalised(embedding(ids[real], self._words) + self._places[places], self._norm)
        for layer in self._layers:
            seen = self._attention(layer.attend(states), sizes)
            states = self._normalised(layer.merge(seen).add_(states), layer.norm)
            wide = gelu(layer.widen(states))
            states = self._normalised(layer.narrow(wide).add_(states), layer.last_norm)
        if len(states) == count * length:
            return states.view(count, length, -1)
        padded = states.new_zeros(count, length, states.shape[1])
        padded[real] = states
        return padded

    def _attention(self, projected: Tensor, sizes: list[int]) -> Tensor:
        """(T, 3 D) of texts of these sizes -> (T, D); each text attends to itself."""
        tokens, width = projected.shape[0], projected.shape[1] // 3
        split = projected.view(tokens, 3, self._heads, -1).permute(1, 2, 0, 3)  # (3, H, T, D / H)
        texts = []
        for query, key, value in (part.unbind(0) for part in torch.split(split, sizes, dim=2)):
            seen = scaled_dot_product_attention(query[None], key[None], value[None])
            texts.append(seen[0].transpose(0, 1).reshape(-1, width))
        return texts[0] if len(texts) == 1 else torch.cat(texts)

    def _normalised(self, states: Tensor, norm: _Affine) -> Tensor:
        return layer_norm(states, (states.shape[-1],), norm.weight, norm.bias, self._epsilon)
