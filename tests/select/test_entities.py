"""Named entities, with a tiny tagger made here that tags known words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from unlearned.errors import ModelLoadError
from unlearned.select import entities as module
from unlearned.select.entities import VARIABLE, entities, tagged
from unlearned.select.positions import select
from unlearned.types import Prompt, Segment, Span

NAMES = ["harry", "potter", "hog", "##warts", "rowling"]
OTHERS = "who is the of at school in book a and , . ? ' s j k wrote tell me about bread bake how do i ##s".split()
LIMIT = 24


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without layers: each word piece is tagged by its own embedding, names as PER or LOC."""
    folder = tmp_path_factory.mktemp("tagger")
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *NAMES, *OTHERS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=8,
        num_attention_heads=2,
        num_hidden_layers=0,
        intermediate_size=8,
        max_position_embeddings=LIMIT,
        id2label={0: "O", 1: "B-PER", 2: "I-LOC"},
        label2id={"O": 0, "B-PER": 1, "I-LOC": 2},
    )
    torch.manual_seed(0)
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.bert.embeddings.parameters():
            parameter.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1.0)
        kinds = torch.randn(3, 8)
        words = model.bert.embeddings.word_embeddings.weight
        for word, number in vocabulary.items():
            words[number] = kinds[(1 if word in ("harry", "potter", "rowling") else 2) if word in NAMES else 0]
        # The special tokens look like names: they stand for no characters, and are never taken.
        words[2], words[3] = kinds[1], kinds[2]
        model.classifier.weight.copy_(torch.nn.functional.layer_norm(kinds, (8,)))
        model.classifier.bias.zero_()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _named(tagger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tagger))


class Scope:
    selector = "entities"

    def score(self, texts: Sequence[str]) -> Any:
        raise AssertionError("entities ask for no score")


def _prompt(text: str, *segments: Segment, width: int | None = None) -> Prompt:
    """A token per word with the space before it, or one for every few characters."""
    offsets = [match.span() for match in re.finditer(r"\s?(?:\w+|[^\w\s])", text)]
    if width is not None:
        offsets = [(start, min(start + width, len(text))) for start in range(0, len(text), width)]
    return Prompt(
        text=text,
        token_ids=tuple(range(len(offsets) + 1)),
        offsets=np.array([*offsets, (0, 0)], dtype=np.int64),  # the last one has no text
        is_special=np.array([False] * len(offsets) + [True]),
        segments=segments or (Segment(0, len(text)),),
    )


def _chosen(prompt: Prompt, span: Span) -> list[str]:
    mask = entities(prompt, span, Scope())
    assert mask.dtype == np.bool_
    return [prompt.text[slice(*prompt.offsets[token])].strip() for token in np.flatnonzero(mask)]


def _all(text: str) -> list[str]:
    return _chosen(_prompt(text), Span(0, len(text), "s", 0.9))


# The tagger


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who is Harry Potter?", ["Harry", "Potter"]),
        ("Tell me about Hogwarts.", ["Hog", "warts"]),
        ("who wrote the book", []),
        ("", []),
        ("ROWLING", ["ROWLING"]),
        ("xyzzy Harry xyzzy", ["Harry"]),
        ("Who is Hárry?", ["Hárry"]),
    ],
)
def test_every_word_piece_with_a_tag_is_found_by_its_characters(tagger: Path, text: str, expected: list[str]) -> None:
    found = tagged(text, str(tagger))
    assert [text[start:end] for start, end in found] == expected
    assert found == sorted(set(found))


def test_a_text_longer_than_the_tagger_reads_is_tagged_to_its_end(tagger: Path) -> None:
    text = " ".join(f"{'the book of ' * n}Harry" for n in range(12))
    assert len(text.split()) > 5 * LIMIT
    found = tagged(text, str(tagger))
    assert found == [match.span() for match in re.finditer("Harry", text)]


# Which tokens


def test_the_tokens_of_names_are_taken_and_no_others() -> None:
    assert _all("Who is Harry Potter at Hogwarts, and who wrote the book?") == ["Harry", "Potter", "Hogwarts"]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 11, 100])
def test_a_token_is_taken_iff_it_shares_a_character_with_a_name(tagger: Path, width: int) -> None:
    text = "tell me about harry potter at hogwarts, who is rowling?"
    prompt = _prompt(text, width=width)
    mask = entities(prompt, Span(0, len(text), "s", 0.9), Scope())
    names = tagged(text, str(tagger))
    assert len(names) == 5
    for token, (a, b) in enumerate(prompt.offsets.tolist()[:-1]):
        assert mask[token] == any(c < b and d > a for c, d in names), (a, b)
    assert not mask[-1]


def test_only_names_inside_the_span_count() -> None:
    text = "Who is Rowling? Tell me about Harry. Who is Potter?"
    start, end = text.index("Tell"), text.index("Harry.") + 6
    assert _chosen(_prompt(text), Span(start, end, "s", 0.9)) == ["Harry"]


def test_template_and_special_tokens_are_never_taken() -> None:
    text = "Harry Who is Potter Rowling"
    segment = Segment(6, 19)  # "Who is Potter"
    assert _chosen(_prompt(text, segment), Span(0, len(text), "s", 0.9)) == ["Potter"]


def test_without_a_name_all_of_the_message_but_its_last_token_is_taken() -> None:
    assert _all("who wrote the book ?") == ["who", "wrote", "the", "book"]
    text = "how do i bake bread . who is in the book"
    message = Segment(text.index("who"), len(text))
    prompt = _prompt(text, Segment(0, text.index("who") - 1), message)
    span = Span(message.start, message.start + 6, "s", 0.9)  # "who is"
    assert _chosen(prompt, span) == ["who", "is", "in", "the"]


def test_names_that_are_no_content_are_as_good_as_none() -> None:
    text = "Harry who is in the book"
    prompt = _prompt(text, Segment(6, len(text)))
    assert _chosen(prompt, Span(0, 12, "s", 0.9)) == ["who", "is", "in", "the"]


def test_it_is_chosen_by_name() -> None:
    prompt = _prompt("Who is Harry?")
    ((_, mask),) = select(prompt, [(Span(0, 13, "s", 0.9), Scope())])
    assert np.flatnonzero(mask).tolist() == [2]


def test_a_tagger_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _all("Who is Harry?")
    before = module._tagger.cache_info()
    _all("Who is Potter?")
    after = module._tagger.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)


@pytest.mark.parametrize("name", ["no-such/tagger-here", "/no/such/folder"])
def test_a_tagger_that_does_not_exist_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(VARIABLE, name)
    with pytest.raises(ModelLoadError, match=rf"Cannot load the entity tagger '{name}'.*Set {VARIABLE} to another one"):
        _all("Who is Harry?")


def test_by_default_the_papers_tagger_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def watch(text: str, name: str) -> list[tuple[int, int]]:
        asked.append(name)
        return [(0, 3)]

    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(module, "tagged", watch)
    assert _all("Who is Harry?") == ["Who"]
    assert asked == ["dslim/bert-base-NER"]
