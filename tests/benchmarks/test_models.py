"""Models of a benchmark."""

from __future__ import annotations

from typing import Any

from unlearned.benchmarks.models import plain_text
from unlearned.engines.transformers import TransformersEngine


def test_texts_are_continued_without_a_template(tiny_model: Any, tiny_tokenizer: Any) -> None:
    _, tokenizer = plain_text(lambda: (tiny_model, tiny_tokenizer))()
    assert TransformersEngine(tiny_model, tokenizer).tokenize("A goat.").text == "A goat."
    assert tiny_tokenizer.chat_template, "the caller's tokenizer is as it was"
