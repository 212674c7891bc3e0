"""What a client of vLLM is told of a prompt into which something was put; takes no vLLM."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

from unlearned.server.refusals import RefusalError
from unlearned.vllm.lengthening import Lengthened

OWN = (1, 2, 3, 4, 5)


class Scores(NamedTuple):
    """As vLLM's."""

    logprob_token_ids: torch.Tensor
    logprobs: torch.Tensor
    selected_token_ranks: torch.Tensor
    cu_num_generated_tokens: None = None


def lengthened(read: tuple[int, ...]) -> Lengthened:
    found = Lengthened.of(OWN, read)
    assert found is not None
    return found


def sampling(most: int, least: int = 0, **more: Any) -> Any:
    return SimpleNamespace(max_tokens=most, min_tokens=least, **more)


def test_a_prompt_that_is_read_as_it_was_sent_is_not_lengthened() -> None:
    assert Lengthened.of(list(OWN), OWN) is None
    assert lengthened((9, 9, *OWN)) == Lengthened(OWN, 0, 2)
    assert lengthened((1, 2, 9, 9, 9, 3, 4, 5)) == Lengthened(OWN, 2, 3)
    assert lengthened((1, 23, 4, 5)) == Lengthened(OWN, 1, -1)  # a client had cut a word that is whole again


@pytest.mark.parametrize(
    ("asked", "least", "given"),
    [(4, 0, (4, 0)), (15, 0, (13, 0)), (15, 14, (13, 13)), (13, 2, (13, 2)), (14, 0, None), (16, 0, None)],
)
def test_an_answer_gets_what_is_left_where_nobody_asked_for_a_length(
    asked: int, least: int, given: tuple[int, int] | None
) -> None:
    """Of 20 tokens 5 were sent and 2 put in; vLLM says 15 for whoever says nothing."""
    params = sampling(asked, least)
    if given is None:
        with pytest.raises(
            RefusalError, match=f"20 tokens; the prompt has 7, and the answer may have {asked}"
        ) as error:
            lengthened((9, 9, *OWN)).make_room(params, 20)
        assert (error.value.status, error.value.code) == (400, "context_length_exceeded")
    else:
        lengthened((9, 9, *OWN)).make_room(params, 20)
        assert (params.max_tokens, params.min_tokens) == given
    with pytest.raises(RefusalError, match="the prompt has 7, and the answer may have 1"):
        lengthened((9, 9, *OWN)).make_room(sampling(2), 7)


def test_scores_and_counts_are_of_what_was_sent() -> None:
    rows = torch.arange(6)
    stats = SimpleNamespace(
        num_prompt_tokens=8,
        num_computed_tokens=2,
        num_cached_tokens=6,
        num_local_cached_tokens=6,
        num_external_cached_tokens=0,
        num_cache_creation_tokens=1,
    )
    output = SimpleNamespace(
        new_prompt_logprobs_tensors=Scores(rows[:, None], rows[:, None] / 10, rows), prefill_stats=stats
    )
    lengthened((9, 9, *OWN)).hide(output)
    told = output.new_prompt_logprobs_tensors
    assert told.selected_token_ranks.tolist() == [2, 3, 4, 5]  # of all tokens that were sent but the first
    assert (len(told.logprobs), len(told.logprob_token_ids)) == (4, 4)
    assert vars(output.prefill_stats) == vars(stats) | {
        "num_prompt_tokens": 5,
        "num_computed_tokens": 1,
        "num_cached_tokens": 4,
        "num_local_cached_tokens": 4,
    }
    assert stats.num_cached_tokens == 6  # the engine's own are left alone
    for cached, own in ((1, 1), (2, 2), (4, 2), (6, 3), (8, 5)):  # words between the second token and the third
        stats.num_cached_tokens = cached
        output = SimpleNamespace(new_prompt_logprobs_tensors=None, prefill_stats=stats)
        lengthened((1, 2, 9, 9, 9, 3, 4, 5)).hide(output)
        assert output.prefill_stats.num_cached_tokens == own


def test_the_request_of_the_client_has_its_own_prompt_and_named_places_are_moved() -> None:
    own = lengthened((9, 9, *OWN))
    request = SimpleNamespace(prompt_token_ids=[9, 9, *OWN], prompt_embeds=object(), prompt_is_token_ids=[], id="a")
    sent = own.as_sent(request)
    assert (sent.prompt_token_ids, sent.prompt_embeds, sent.prompt_is_token_ids, sent.id) == ([*OWN], None, None, "a")
    assert request.prompt_token_ids == [9, 9, *OWN]
    for given, moved in ((None, 2), (3, 5)):
        params = sampling(1, prompt_logprob_token_ids=[[1]], prompt_logprob_start=given)
        own.score_own(params)
        assert params.prompt_logprob_start == moved
    own.score_own(sampling(1))  # releases that do not know it
