"""Texts are cut into passages of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from copyright_texts import OTHER, TALE

from unlearned.benchmarks.copyright.passages import book_passages, chunks, cut, title_passage
from unlearned.benchmarks.copyright.run import partners


def test_chunks_join_lines_while_they_fit(tiny_tokenizer: Any) -> None:
    def count(text: str) -> int:
        return len(tiny_tokenizer(text, add_special_tokens=False)["input_ids"])

    found = chunks(TALE, tiny_tokenizer, max_tokens=100)
    assert "".join("".join(found).split()) == "".join(TALE.split()), "nothing is lost or moved"
    lines = TALE.splitlines()
    for chunk, following in zip(found, found[1:], strict=False):
        first = following.splitlines()[0]
        assert count(chunk) <= 98 or len(chunk.splitlines()) == 1
        assert count(f"{chunk}\n{first}\n") > 98, "the next line would not have fitted"
        assert first in lines
    assert chunks("x\n", tiny_tokenizer) == [], "a chunk of one character is no chunk"
    long = "A sentence of many words. " * 40
    assert chunks(f"short\n{long}\nshort", tiny_tokenizer, max_tokens=50) == ["short", long.strip(), "short"]


def test_a_passage_is_its_first_sentence_and_the_rest(tiny_tokenizer: Any) -> None:
    passages = book_passages(TALE, tiny_tokenizer, max_tokens=100)
    assert passages[0].id == "book/0"
    assert passages[0].prompt == "The Goat of Market Hill There was a goat on Market Hill."
    assert passages[0].reference.startswith("It ate the mayor's hat.")
    assert " ".join(passage.text for passage in passages) == " ".join(TALE.split())
    assert book_passages("Only one sentence.", tiny_tokenizer) == []


def test_what_is_too_long_is_cut_at_a_token(tiny_tokenizer: Any) -> None:
    text = "The goat of Market Hill eats hats."
    ids = tiny_tokenizer(text, add_special_tokens=False)["input_ids"]
    assert cut(text, tiny_tokenizer, 5) == tiny_tokenizer.decode(ids[:5])
    assert cut(text, tiny_tokenizer, len(ids)) == text
    passage = title_passage("news/0", " Goat ", text, tiny_tokenizer, max_tokens=12)
    assert passage is not None
    assert (passage.prompt, passage.reference) == ("Goat", cut(text, tiny_tokenizer, 11).strip())
    longer = title_passage("news/0", "Goat " * 20, text, tiny_tokenizer, max_tokens=12)
    assert longer is not None
    assert longer.reference == passage.reference, "the title takes nothing from the article"
    assert title_passage("news/0", " ", text, tiny_tokenizer) is None


def test_retain_partners_are_drawn_as_the_paper_draws_them(tiny_tokenizer: Any) -> None:
    passages = book_passages(OTHER, tiny_tokenizer, max_tokens=60)
    drawn = np.random.default_rng(42).integers(len(passages), size=9)
    assert partners([passages[0]] * 9, passages) == [passages[int(index)] for index in drawn]
