from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from oracles import metrics as oracle
from unlearned.errors import DataError
from unlearned.metrics.embedding import (
    Tokens,
    bert_score_f1,
    cosine_similarities,
    entailment,
    forget_efficacy,
    token_encoder,
)

VECTORS = np.random.default_rng(0).normal(size=(26, 8))


def encode(texts: Sequence[str]) -> list[Tokens]:
    """One vector per letter; "z" is a special token."""
    return [(VECTORS[[ord(c) - 97 for c in text]], [c != "z" for c in text]) for text in texts]


def test_bert_score_matches_every_token_with_its_most_similar_one() -> None:
    pairs = [("abc", "cde"), ("a", "fghij"), ("kkl", "kkl")]
    found = bert_score_f1([a for a, _ in pairs], [b for _, b in pairs], encode)
    for value, (a, b) in zip(found, pairs, strict=True):
        vectors = ([VECTORS[ord(c) - 97].tolist() for c in text] for text in (a, b))
        assert value == pytest.approx(oracle.bert_score_f1(*vectors))
    assert found[2] == pytest.approx(1)


def test_special_tokens_may_be_matched_but_do_not_count() -> None:
    assert bert_score_f1(["zab"], ["ab"], encode) == pytest.approx([1])
    assert bert_score_f1(["ab"], ["zab"], encode) == pytest.approx([1])
    assert bert_score_f1(["az"], ["bz"], encode) != pytest.approx(bert_score_f1(["a"], ["b"], encode))
    assert bert_score_f1(["z"], ["ab"], encode).tolist() == [0]


def test_a_transformers_model_gives_token_vectors_of_one_layer(tiny_model: Any, tiny_tokenizer: Any) -> None:
    encoder = token_encoder(tiny_model, tiny_tokenizer, layer=2, longest=6)
    ids = tiny_tokenizer("Who is Harry Potter? Harry Potter is a wizard.")["input_ids"]
    assert len(ids) > 6
    with torch.no_grad():
        expected = tiny_model(torch.tensor([ids[:6]]), output_hidden_states=True).hidden_states[2][0]
    ((vectors, counts), (short, _)) = encoder(["Who is Harry Potter? Harry Potter is a wizard.", "Who"])
    assert torch.equal(torch.as_tensor(vectors), expected)
    assert np.asarray(counts).all()
    assert len(np.asarray(short)) < 6
    assert bert_score_f1(["Who is Harry?"], ["Who is Harry?"], encoder) == pytest.approx([1])
    ((_, flags),) = encoder(["<|turn|>Who"])
    assert np.asarray(flags).tolist()[0] is False
    with pytest.raises(DataError, match="no tokens"):
        encoder([""])


def test_sentence_similarity_is_the_cosine_and_never_negative() -> None:
    first, second = VECTORS[:5], VECTORS[5:10]
    expected = [max(0.0, oracle.cosine(a.tolist(), b.tolist())) for a, b in zip(first, second, strict=True)]
    assert 0 in expected
    assert cosine_similarities(first, second) == pytest.approx(expected)


def test_entailment_asks_in_the_direction_of_the_set_and_needs_some_recall() -> None:
    asked: list[tuple[str, str]] = []

    def entails(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        asked.extend(pairs)
        return [True] * len(pairs)

    recalls = [0.5, 0.1, 0.09]
    assert entailment(["g"] * 3, ["t"] * 3, recalls, entails, forget=True).tolist() == [1, 1, 0]
    assert asked == [("g", "t")] * 3
    asked.clear()
    entailment(["g"] * 3, ["t"] * 3, recalls, entails, forget=False)
    assert asked == [("t", "g")] * 3


def test_forget_efficacy_is_one_minus_the_mean_of_five() -> None:
    assert forget_efficacy([0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(0.7)
    with pytest.raises(DataError, match="there are 4"):
        forget_efficacy([0.1] * 4)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match="0 generated"):
        bert_score_f1([], [], encode)
    with pytest.raises(DataError, match="one array per text"):
        bert_score_f1(["a"], ["b"], lambda texts: [])
    with pytest.raises(DataError, match="no direction"):
        bert_score_f1(["a"], ["b"], lambda texts: [(np.zeros((1, 3)), [True])])
    with pytest.raises(DataError, match="shapes"):
        cosine_similarities(np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(DataError, match="no direction"):
        cosine_similarities(np.ones((1, 3)), np.zeros((1, 3)))
    with pytest.raises(DataError, match="2 generated"):
        entailment(["a", "b"], ["a"], [1.0], lambda pairs: [True], forget=True)
    with pytest.raises(DataError, match="one answer per pair"):
        entailment(["a"], ["a"], [1.0], lambda pairs: [], forget=True)
