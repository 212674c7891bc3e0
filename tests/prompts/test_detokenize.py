"""Pieces of text add up to the decoded whole, and bytes of tokens to its bytes."""

from __future__ import annotations

import random
from typing import Any

from cases import every
from unlearned.prompts.detokenize import BROKEN, TextStream, token_bytes


@every("seed", range(20))
def test_pieces_of_text_add_up_to_the_decoded_whole(tiny_tokenizer: Any, seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices(["Häuser ", "日本語", "🦉", "bread ", "\n", "é"], k=12))
    ids = tiny_tokenizer(text)["input_ids"]
    if seed % 2:  # any tokens at all, among them bytes that are no characters
        ids = [rng.randrange(len(tiny_tokenizer)) for _ in range(60)]
    stream = TextStream(tiny_tokenizer)
    pieces = [stream.push(token) for token in ids]
    assert not any(piece.endswith(BROKEN) for piece in pieces)
    assert "".join(pieces) + stream.finish() == tiny_tokenizer.decode(ids, skip_special_tokens=True)


def test_bytes_of_tokens_add_up_to_the_text(tiny_tokenizer: Any) -> None:
    text = "Häuser 日本語 🦉 bread"
    assert b"".join(token_bytes(tiny_tokenizer, token) for token in tiny_tokenizer(text)["input_ids"]) == text.encode()
