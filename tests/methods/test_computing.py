"""Where and in which type a training computes."""

from __future__ import annotations

import pytest
import torch

from unlearned.methods.computing import computes_in, trains_on

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


def test_a_training_takes_the_accelerator_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    assert trains_on("auto", 2) == torch.device("cuda", 2)
    assert trains_on("cpu", 2) == torch.device("cpu")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)
    assert trains_on("auto") == torch.device("cpu")
    assert computes_in(torch.float16, accelerated=False) == torch.float32
    assert computes_in(torch.float16, accelerated=True) == torch.float16
    assert computes_in(torch.bfloat16, accelerated=False) == torch.bfloat16
