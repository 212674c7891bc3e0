"""Prompts as clients hand them in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unlearned.answers.guard import Bans, Guard
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.errors import PromptError
from unlearned.prompts.client import ids_prompt, literal_chat_prompt
from unlearned.prompts.detokenize import token_bytes
from unlearned.prompts.tokenize import chat_prompt
from unlearned.types import Verdict

SPELLED = [{"role": "user", "content": "Who wrote <|end|> on the wall?"}, {"role": "assistant", "content": "It was"}]


def test_a_conversation_that_spells_out_a_special_token_is_still_under_a_template(tiny_tokenizer: Any) -> None:
    plain = [{**SPELLED[0], "content": "Who wrote on the wall?"}, SPELLED[1]]
    assert chat_prompt(tiny_tokenizer, plain).templated
    for messages in (plain, SPELLED):
        assert literal_chat_prompt(tiny_tokenizer, messages).templated


def test_an_answer_that_is_continued_may_go_on_from_within_a_name_whatever_the_chat_spells_out(
    tiny_tokenizer: Any,
) -> None:
    bans = Bans([Withheld(names=(ScopeName(name="Harry Potter", given=False),))])
    for asked in ("Who wrote on the wall?", SPELLED[0]["content"]):
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": "It was Harry Pot"}]
        continued = Guard.of(bans, literal_chat_prompt(tiny_tokenizer, messages), Verdict())
        opened = Guard.of(bans, literal_chat_prompt(tiny_tokenizer, messages[:1]), Verdict())
        assert continued is not None
        assert opened is not None
        assert continued.beginning.endswith("It was Harry Pot")
        assert opened.beginning == ""


def test_every_token_of_given_ids_knows_its_characters(tiny_tokenizer: Any) -> None:
    text = "Häuser 日本語 🦉 bread"
    ids = tiny_tokenizer(text)["input_ids"]
    prompt = ids_prompt(tiny_tokenizer, ids, vocabulary=len(tiny_tokenizer))
    assert prompt.text == text
    assert prompt.token_ids == tuple(ids)
    owl = text.index("🦉")
    tokens = np.flatnonzero(prompt.tokens_overlapping(owl, owl + 1))
    assert b"".join(token_bytes(tiny_tokenizer, ids[place]) for place in tokens).strip() == "🦉".encode()
    with pytest.raises(PromptError, match="no token 400"):
        ids_prompt(tiny_tokenizer, [400], vocabulary=len(tiny_tokenizer))
