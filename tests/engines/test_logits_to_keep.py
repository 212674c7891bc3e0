"""Only models that can leave logits out are asked to, and what is left is the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unlearned.engines.logits_to_keep import keep_last_logits, keep_logits


class KeepsAll(nn.Module):
    """A model without the argument."""

    device = torch.device("cpu")

    def forward(self, input_ids: Any) -> Any: ...


def test_kept_positions_have_the_logits_that_they_have_among_all(tiny_model: Any) -> None:
    ids = torch.tensor([[5, 6, 7, 8], [9, 8, 7, 6]])
    with torch.inference_mode():
        whole = tiny_model(input_ids=ids).logits
        columns = torch.tensor([1, 3])
        some = tiny_model(input_ids=ids, **keep_logits(tiny_model, columns)).logits
        last = tiny_model(input_ids=ids, **keep_last_logits(tiny_model)).logits
    assert some.shape[1] == 2
    torch.testing.assert_close(some, whole[:, columns])
    torch.testing.assert_close(last, whole[:, -1:])


def test_a_model_that_does_not_know_the_argument_does_not_get_it() -> None:
    assert keep_logits(KeepsAll(), torch.tensor([0])) == keep_last_logits(KeepsAll()) == {}
