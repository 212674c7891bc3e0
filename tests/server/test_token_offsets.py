"""`text_offset`, `bytes` and tokens of an answer whose characters are spread over several tokens."""

from __future__ import annotations

from typing import Any

import pytest
from serving_helpers import Running, events

TEXT = "Who é😀 is 漢字? 👩‍👩‍👧 ok"


def _expected(raws: list[bytes]) -> list[int]:
    """By the definition: the character in which a token's first byte lies."""
    whole = b"".join(raws)
    of_byte = [n for n, character in enumerate(whole.decode()) for _ in character.encode()]
    starts = [sum(map(len, raws[:n])) for n in range(len(raws))]
    return [of_byte[start] for start in starts]


@pytest.fixture
def raws(server: Running, tiny_tokenizer: Any) -> list[bytes]:
    ids = tiny_tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    found = [bytes(server.service.token_texts(token)[1]) for token in ids]
    assert b"".join(found) == TEXT.encode()
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_offsets_are_characters_of_the_text_also_behind_a_character_of_several_tokens(
    server: Running, raws: list[bytes], stream: bool
) -> None:
    response = server.complete(TEXT, max_tokens=0, echo=True, logprobs=2, stream=stream)
    choices = [c for chunk in events(response) for c in chunk["choices"]] if stream else response.json()["choices"]
    assert "".join(choice["text"] for choice in choices) == TEXT
    offsets = [offset for choice in choices for offset in (choice["logprobs"] or {}).get("text_offset", [])]
    tokens = [token for choice in choices for token in (choice["logprobs"] or {}).get("tokens", [])]
    assert offsets == _expected(raws)
    assert len(set(raws)) == len(set(tokens))  # parts of characters can be told apart
    assert [token for token in tokens if token.startswith("bytes:\\x")]


def test_a_chats_bytes_put_together_are_its_text(server: Running) -> None:
    choice = server.chat("Who is the fox?", logprobs=True, top_logprobs=3, max_tokens=24).json()["choices"][0]
    content = choice["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in content).decode(errors="replace") == choice["message"]["content"]
    assert all(len({other["token"] for other in token["top_logprobs"]}) == 3 for token in content)
