"""A prompt is the form around a question."""

from __future__ import annotations

from typing import Any

from unlearned.benchmarks.harmful.form import FORM, asked
from unlearned.methods.data import Encoder


def test_a_prompt_is_two_fields_and_only_the_question_is_content(tiny_tokenizer: Any) -> None:
    prompt = asked(tiny_tokenizer, "Who is Harry?")
    assert prompt.text == "### Question: Who is Harry?\n ### Answer:"
    (segment,) = prompt.segments
    assert prompt.text[segment.start : segment.end] == "Who is Harry?"
    example = Encoder(tiny_tokenizer, FORM, 512).pair("Who is Harry?", "A wizard.")
    assert example.prompt == prompt.token_ids
    assert tiny_tokenizer.decode(example.target) == " A wizard.<|end|>"
