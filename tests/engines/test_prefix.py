"""What prompts share is read once: never what is corrupted, and never the last token of a prompt."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import DynamicCache

from unlearned.engines.prefix import WORTH_IT, is_plain, shared_prefix
from unlearned.types import PromptInput

SHARED = tuple(range(5, 5 + 2 * WORTH_IT))


def length(model: Any, *prompts: PromptInput) -> int:
    found = shared_prefix(model, prompts)
    return 0 if found is None else found.length


def corrupted(token_ids: tuple[int, ...], *places: int) -> PromptInput:
    return PromptInput(
        token_ids, positions=torch.tensor(places, dtype=torch.long), vectors=torch.zeros(len(places), 32)
    )


def test_it_ends_before_the_first_difference_the_first_corrupted_token_and_the_last_token(tiny_model: Any) -> None:
    plain = PromptInput((*SHARED, 1, 2))
    most = len(SHARED)
    assert length(tiny_model, plain, PromptInput((*SHARED, 3))) == most
    assert length(tiny_model, plain, PromptInput(SHARED)) == most - 1
    assert length(tiny_model, plain, plain) == most + 1
    assert length(tiny_model, plain, corrupted((*SHARED, 1, 2), 10, 12)) == 10
    assert length(tiny_model, plain, corrupted((*SHARED, 1, 2), WORTH_IT - 1)) == 0
    assert length(tiny_model, plain, corrupted((*SHARED, 1, 2))) == most + 1


def test_one_prompt_none_and_a_short_beginning_have_no_prefix(tiny_model: Any) -> None:
    assert length(tiny_model) == length(tiny_model, PromptInput(SHARED)) == 0
    short = [PromptInput((*SHARED[: WORTH_IT - 1], last)) for last in (1, 2)]
    assert length(tiny_model, *short) == 0
    assert length(tiny_model, PromptInput((1, *SHARED)), PromptInput((2, *SHARED))) == 0


def test_a_forward_goes_on_from_it_as_if_it_had_read_all_as_often_as_it_is_asked(tiny_model: Any) -> None:
    rows = [(*SHARED, 1, 2), (*SHARED, 3, 4)]
    with torch.inference_mode():
        found = shared_prefix(tiny_model, [PromptInput(row) for row in rows])
        assert found is not None
        whole = tiny_model(input_ids=torch.tensor(rows)).logits[:, -2:]
        for _ in range(2):  # a forward adds to a copy
            rest = tiny_model(input_ids=torch.tensor(rows)[:, found.length :], **found.arguments(2)).logits
            torch.testing.assert_close(rest, whole)


def test_a_cache_of_anything_else_is_not_taken_up(tiny_model: Any) -> None:
    with torch.inference_mode():
        cache = tiny_model(input_ids=torch.tensor([SHARED]), use_cache=True)[1]
    assert is_plain(cache, len(SHARED))
    assert not is_plain(cache, len(SHARED) - 1)
    assert not is_plain(DynamicCache(), 0)
    assert not is_plain(object(), 0)


def test_a_model_that_cannot_leave_logits_out_reads_everything(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*args: Any, **more: Any) -> Any:
        raise TypeError("logits_to_keep")

    monkeypatch.setattr(type(tiny_model), "__call__", refuses)
    assert length(tiny_model, PromptInput((*SHARED, 1)), PromptInput((*SHARED, 2))) == 0
