"""Activations are steered where the mask says, and only three projections are trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from losses_by_hand import (
    BEFORE,
    NOW,
    WIDTH,
    F,
    R,
    close,
    mean,
    terms,
)

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method
from unlearned.methods.rmu import direction, squared_error


def test_rmu_steers_masked_activations() -> None:
    u = direction(WIDTH, seed=0)
    assert float(u.norm()) == pytest.approx(1)
    assert bool((u >= 0).all())
    goal = [20.0 * float(value) for value in u]
    forget, kept = [], []
    for b, seen in enumerate(F.attention_mask.tolist()):
        states = NOW(F.input_ids).hidden_states[2][b].tolist()  # output of layer 1: the embeddings come first
        forget += [
            mean([(h - g) ** 2 for h, g in zip(states[t], goal, strict=True)]) for t in range(len(seen)) if seen[t]
        ]
    for b, seen in enumerate(R.attention_mask.tolist()):
        now, before = (model(R.input_ids).hidden_states[2][b].tolist() for model in (NOW, BEFORE))
        kept += [
            mean([(h - g) ** 2 for h, g in zip(now[t], before[t], strict=True)]) for t in range(len(seen)) if seen[t]
        ]
    assert terms("rmu", layer=1) == {"forget": close(mean(forget)), "retain": close(100 * mean(kept))}


def test_squared_error_leaves_padding_out() -> None:
    hidden = torch.tensor([[[1.0, 3.0], [100.0, 100.0]]])
    assert float(squared_error(hidden, torch.zeros(2), torch.tensor([[True, False]]))) == 5.0


def test_three_layers_and_no_more_are_trained_in_any_family() -> None:
    method = make_method("rmu", {"layer": 7})
    for name, trained in {
        "model.layers.7.mlp.down_proj.weight": True,
        "model.layers.5.mlp.down_proj.weight": True,
        "model.layers.4.mlp.down_proj.weight": False,
        "model.layers.17.mlp.down_proj.weight": False,
        "model.layers.7.mlp.up_proj.weight": False,
        "model.layers.7.self_attn.o_proj.weight": False,
        "transformer.h.6.mlp.c_proj.weight": True,
        "transformer.h.6.attn.c_proj.weight": False,
        "gpt_neox.layers.7.mlp.dense_4h_to_h.weight": True,
        "lm_head.weight": False,
    }.items():
        assert method.trainable(name) is trained, name
    first = make_method("rmu", {"layer": 0})
    assert first.trainable("model.layers.0.mlp.down_proj.weight")
    assert not first.trainable("model.layers.1.mlp.down_proj.weight")


def test_a_layer_that_the_model_lacks_and_a_pattern_that_is_none_are_refused(tiny_model: Any) -> None:
    make_method("rmu", {"layer": 1}).check(tiny_model)  # of three
    with pytest.raises(ConfigError, match=r"0\.\.1"):
        make_method("rmu", {"layer": 2}).check(tiny_model)
    for settings in ({"trainable_pattern": "("}, {"layer": -1}, {"alpha": -1}):
        with pytest.raises(ConfigError):
            make_method("rmu", settings)
