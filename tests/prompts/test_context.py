"""Nothing is read beyond a model's context, and nothing is cut."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tiny_llama import tiny_llama
from unlearned.api import Unlearned
from unlearned.errors import ContextError


@pytest.fixture(scope="module")
def llm(tiny_tokenizer: Any) -> Unlearned:
    torch.manual_seed(0)
    return Unlearned(tiny_llama(tiny_tokenizer, max_position_embeddings=64).eval(), tiny_tokenizer)


def test_a_prompt_that_does_not_fit_with_its_answer_is_refused_and_named(llm: Unlearned) -> None:
    fits, long = "fox", "fox " * 70
    count = len(llm.engine.tokenize(long, chat=False).token_ids)
    with pytest.raises(ContextError, match=rf"Prompt 1: .*context is 64 tokens; the prompt has {count}, .* have 4\."):
        llm.generate([fits, long], chat=False, max_new_tokens=4)
    with pytest.raises(ContextError, match="the answer may have 64"):
        llm.generate([fits], chat=False, max_new_tokens=63 + len(llm.engine.tokenize(fits, chat=False).token_ids) - 1)
    with pytest.raises(ContextError) as caught:
        next(llm.generate_each([fits] * 40 + [long], chat=False, batch_size=1, max_new_tokens=4))
    assert caught.value.index == 40
    with pytest.raises(ContextError, match="Prompt 0"):
        llm.log_likelihood([fits], [long], chat=False)
    assert len(llm.generate([fits], chat=False, max_new_tokens=4)) == 1
