"""Rows of a batch are drawn as each of them asks."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearned.engines.sampling import RowSampler, RowSettings
from unlearned.errors import ConfigError


def drawn(settings: RowSettings, logits: torch.Tensor, count: int) -> list[int]:
    sampler = RowSampler([settings])
    return [int(sampler(logits[None], [True]).argmax()) for _ in range(count)]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    found = drawn(RowSettings(max_new_tokens=1, temperature=1.0, seed=1), logits, 4000)
    shares = [found.count(token) / 4000 for token in range(4)]
    assert shares == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    found = drawn(RowSettings(max_new_tokens=1, temperature=0.5, seed=1), logits, 4000)
    squares = [p**2 / (0.25 + 0.09 + 0.0225 + 0.0025) for p in (0.5, 0.3, 0.15, 0.05)]
    assert [found.count(token) / 4000 for token in range(4)] == pytest.approx(squares, abs=0.03)


@pytest.mark.parametrize(
    ("more", "possible"),
    [({"top_p": 0.8}, {0, 1}), ({"top_p": 0.81}, {0, 1, 2}), ({"top_k": 1}, {0}), ({"top_p": 0.01}, {0})],
)
def test_top_p_and_top_k_leave_out_the_tail(more: Any, possible: set[int]) -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert set(drawn(RowSettings(max_new_tokens=1, temperature=1.0, seed=1, **more), logits, 500)) == possible


def test_a_rows_draws_do_not_depend_on_its_neighbours_and_greedy_rows_are_not_touched() -> None:
    own = RowSettings(max_new_tokens=1, temperature=1.0, top_p=0.9, seed=5)
    others = [RowSettings(max_new_tokens=1), RowSettings(max_new_tokens=1, temperature=2.0, seed=1)]
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    alone, together = RowSampler([own]), RowSampler([others[0], own, others[1]])
    for _ in range(20):
        found = together(logits, [True, True, True])
        assert torch.equal(found[0], logits[0])
        assert int(alone(logits[1:2], [True]).argmax()) == int(found[1].argmax())
    assert RowSampler([others[0]])(logits[:1], [True]) is not None
    assert RowSampler(others[:1])(logits, [True]).data_ptr() == logits.data_ptr()


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_p": 0}, {"top_k": 0}, {"temperature": float("nan")}])
def test_settings_of_a_row_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RowSettings(**({"max_new_tokens": 1} | wrong))
