"""A piece of text has the tokens that it has within a text, whatever the tokenizer puts in front of one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from unlearned.substitution import pieces as module
from unlearned.substitution.pieces import Pieces


def test_a_piece_has_the_tokens_of_its_place_in_a_text(tiny_tokenizer: Any) -> None:
    pieces = Pieces(tiny_tokenizer)
    text = "Who is\nHarry"
    whole = tuple(tiny_tokenizer(text, add_special_tokens=False)["input_ids"])
    assert whole[-len(pieces.ids("Harry")) :] == pieces.ids("Harry")
    assert pieces.ids("") == ()
    for piece in ("Harry", " Harry", "Zoé", "🦊", "日本", "\n", "<|end|>"):
        assert pieces.text(pieces.ids(piece)) in (piece, "" if piece.startswith("<|") else piece), piece


def test_what_a_tokenizer_puts_in_front_of_a_text_is_not_part_of_a_piece() -> None:
    from tokenizers_at_hand import with_spaces_as_letters

    tokenizer = with_spaces_as_letters()
    pieces = Pieces(tokenizer)
    assert pieces.ids("Potter") != tuple(tokenizer("Potter", add_special_tokens=False)["input_ids"])
    assert pieces.text(pieces.ids("Potter")) == "Potter"


def test_special_tokens_are_not_said(tiny_tokenizer: Any) -> None:
    end = tiny_tokenizer.convert_tokens_to_ids("<|end|>")
    pieces = Pieces(tiny_tokenizer)
    assert pieces.text((*pieces.ids("fox"), end)) == "fox"


def test_not_everything_is_remembered_and_threads_do_not_disturb_each_other(
    tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    pieces, wrong = Pieces(tiny_tokenizer), list[str]()
    words = [f" word{n}" for n in range(20)]
    expected = {word: Pieces(tiny_tokenizer).ids(word) for word in words}

    def ask() -> None:
        wrong.extend(word for word in words * 5 if pieces.ids(word) != expected[word])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(pieces._known) <= 5 + 4
