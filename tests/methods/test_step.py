"""Each forward pass of a step is made on first use, and once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from losses_by_hand import BATCHES, BEFORE, LAYERS, NOW, Fixed, R, close, divergences, kl, mean

from unlearned.methods.step import Step


class Counting(Fixed):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.calls = 0

    def __call__(self, input_ids: torch.Tensor, **more: Any) -> Any:
        self.calls += 1
        return super().__call__(input_ids, **more)


def step(model: Any, reference: Any = None) -> Step:
    return Step(model, BATCHES, reference)


def test_nothing_is_computed_before_it_is_asked_for_and_nothing_twice() -> None:
    model, reference = Counting(1), Counting(2)
    made = step(model, reference)
    assert (model.calls, reference.calls) == (0, 0)
    for _ in range(2):
        made.ce("retain")
        made.kl("retain")
        made.logits("retain")
        made.reference_logits("retain")
    assert (model.calls, reference.calls) == (1, 1)
    made.ce("forget")
    assert (model.calls, reference.calls) == (2, 1)


@pytest.mark.parametrize("kind", ["attention", "labels", "all"])
def test_the_divergence_is_over_the_positions_that_were_named(kind: Any) -> None:
    made = step(NOW, BEFORE)
    assert float(made.kl("retain", kind)) == close(kl(kind))
    assert float(made.kl("retain", kind, temperature=3.0)) == close(mean(divergences(R, kind, 3.0)))
    assert made.mask("retain", "all").all()
    assert made.mask("retain", "attention").equal(R.attention_mask.bool())


def test_states_are_those_of_the_layer_behind_the_embeddings() -> None:
    made = step(NOW, BEFORE)
    states = NOW(R.input_ids).hidden_states
    for layer in range(LAYERS - 1):
        assert made.hidden("retain", layer).equal(states[layer + 1])
    assert made.reference_hidden("retain", 0).equal(BEFORE(R.input_ids).hidden_states[1])
    assert made.labels("retain").equal(R.labels)


def test_a_method_that_did_not_ask_for_a_reference_is_told_so() -> None:
    with pytest.raises(RuntimeError, match="needs_reference"):
        step(NOW).kl("retain")
