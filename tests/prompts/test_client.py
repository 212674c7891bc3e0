"""Prompts as clients hand them in."""

from __future__ import annotations

from typing import Any

from unlearned.prompts.client import literal_chat_prompt
from unlearned.prompts.tokenize import chat_prompt

SPELLED = [{"role": "user", "content": "Who wrote <|end|> on the wall?"}, {"role": "assistant", "content": "It was"}]


def test_a_conversation_that_spells_out_a_special_token_is_still_under_a_template(tiny_tokenizer: Any) -> None:
    plain = [{**SPELLED[0], "content": "Who wrote on the wall?"}, SPELLED[1]]
    assert chat_prompt(tiny_tokenizer, plain).templated
    for messages in (plain, SPELLED):
        assert literal_chat_prompt(tiny_tokenizer, messages).templated
