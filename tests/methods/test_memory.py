"""The memory that a run takes is told before it starts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_steps import prepared

from unlearned.methods.memory import estimate_memory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


@pytest.mark.parametrize("kind", ["full", "new"])
def test_the_memory_estimate_counts_weights_gradients_and_moments(kind: str, fresh: Any) -> None:
    ready = prepared(fresh, kind)
    trained = sum(w.numel() for w in ready.model.parameters() if w.requires_grad)
    found = estimate_memory(ready.model, reference=ready.reference_bytes, tokens=100, passes=2, checkpointing=False)
    assert found.weights == sum(w.numel() * 4 for w in ready.model.parameters())
    assert found.gradients_and_optimiser == 12 * trained
    assert found.reference == (found.weights if kind == "full" else 0)
    double = estimate_memory(ready.model, reference=0, tokens=200, passes=2, checkpointing=False)
    assert double.activations == 2 * found.activations
    assert estimate_memory(ready.model, reference=0, tokens=10**12, passes=1, checkpointing=True).fits is False


def test_the_memory_estimate_is_of_the_device_that_will_be_used(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are loaded on the CPU, and go to the accelerator with the reference when the training begins."""
    ready = prepared(fresh, "full")
    sizes: dict[str, Any] = {"tokens": 10, "passes": 1, "checkpointing": False, "reference": ready.reference_bytes}
    here = estimate_memory(ready.model, **sizes)
    assert here.loaded == here.weights + here.reference
    assert here.more == here.gradients_and_optimiser + here.activations
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000 + device.index, 5000))
    there = estimate_memory(ready.model, **sizes, device=torch.device("cuda", 1))
    assert (there.free, there.loaded) == (1001, 0)
    assert there.more == here.more + here.weights + here.reference
    assert (estimate_memory(ready.model, **sizes, device=torch.device("cpu")).free or 0) > 10**6
