from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import DataError, MissingExtraError
from unlearned.metrics import text
from unlearned.metrics.text import (
    average_similarity_gap,
    average_similarity_gap_estimate,
    exact_match,
    meteor,
    perplexities,
    rouge_f1,
    rouge_recall,
    sacre_bleu,
    token_entropy,
    unique_token_ratio,
)

GENERATED = ["the cat lay on a mat", "no words in common", "Paris"]
REFERENCES = ["a cat sat on the mat today", "something else", "Paris"]


def test_rouge_l_is_the_longest_common_subsequence() -> None:
    recall, f1 = rouge_recall(GENERATED, REFERENCES), rouge_f1(GENERATED, REFERENCES)
    for index, (generated, reference) in enumerate(zip(GENERATED, REFERENCES, strict=True)):
        a, b = generated.lower().split(), reference.lower().split()
        common = oracle.longest_common_subsequence(a, b)
        assert recall[index] == pytest.approx(common / len(b))
        assert f1[index] == pytest.approx(2 * common / (len(a) + len(b)))
    assert recall[0] == pytest.approx(3 / 7)


def test_recall_stems_and_the_f_measure_does_not_by_default() -> None:
    generated, reference = ["she writes novels"], ["she is writing a novel"]
    assert rouge_recall(generated, reference) == pytest.approx([3 / 5])
    assert rouge_recall(generated, reference, stemming=False) == pytest.approx([1 / 5])
    assert rouge_f1(generated, reference) == pytest.approx([2 / 8])
    assert rouge_f1(generated, reference, stemming=True) == pytest.approx([6 / 8])


def test_single_words_count_in_any_order_for_rouge_1() -> None:
    assert rouge_recall(["c b a"], ["a b c"], variant="rouge1") == 1
    assert rouge_recall(["c b a"], ["a b c"]) == pytest.approx(1 / 3)


def test_a_prefix_does_not_lower_recall() -> None:
    assert rouge_recall(["Answer: Paris and more words"], ["Paris"]) == 1


def test_bleu_of_a_pair_by_hand() -> None:
    # 5 of 6 words, 3 of 5 pairs, 1 of 4 triples, 0 of 3 fours, which exponential smoothing counts as a half.
    found = sacre_bleu(["the cat lay on the mat"], ["the cat sat on the mat"])
    assert found == pytest.approx([(5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3) ** 0.25])
    assert sacre_bleu(["one two three four five"], ["one two three four five"]) == pytest.approx([1])


def test_a_short_text_scores_in_sentence_mode_only() -> None:
    assert sacre_bleu(["Paris"], ["Paris"]) == pytest.approx([0])
    assert sacre_bleu(["Paris"], ["Paris"], effective_order=True) == pytest.approx([1])
    assert sacre_bleu([""], ["Paris"]) == pytest.approx([0])


@pytest.fixture
def nltk_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])


def test_meteor_says_what_to_install_instead_of_computing_something_else(nltk_without_data: None) -> None:
    with pytest.raises(MissingExtraError, match=r"python -m nltk\.downloader wordnet") as caught:
        meteor(["a cat"], ["a cat"])
    assert "\n" not in str(caught.value)


def test_meteor_by_hand_with_a_small_wordnet(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk.tokenize
    import nltk.translate.meteor_score as module

    synonyms = {"rug": ["mat"]}
    synset = SimpleNamespace(lemmas=lambda: [SimpleNamespace(name=lambda: "mat")])
    wordnet = SimpleNamespace(synsets=lambda word: [synset] if word in synonyms else [])
    original = module.single_meteor_score
    monkeypatch.setattr(module, "single_meteor_score", lambda *a, **k: original(*a, **k, wordnet=wordnet))
    monkeypatch.setattr(nltk.tokenize, "word_tokenize", str.split)
    # All of "cats on rug" is found: a stem, a word, a synonym, in the reference's places 1, 3, 4, so in two chunks.
    precision, recall, chunks, matches = 3 / 3, 3 / 5, 2, 3
    f = precision * recall / (0.9 * precision + 0.1 * recall)
    assert meteor(["cats on rug"], ["the cat sat on mat"]) == pytest.approx([f * (1 - 0.5 * (chunks / matches) ** 3)])


def test_meteor_without_synonyms_needs_no_data(nltk_without_data: None) -> None:
    # A stem and a word are found, in the reference's places 1 and 3, so in two chunks.
    precision, recall, chunks, matches = 2 / 3, 2 / 5, 2, 2
    f = precision * recall / (0.9 * precision + 0.1 * recall)
    expected = f * (1 - 0.5 * (chunks / matches) ** 3)
    assert meteor(["cats on rug"], ["the cat sat on mat"], synonyms=False) == pytest.approx([expected])


def test_text_scores_need_as_many_texts_as_references() -> None:
    for function in (rouge_recall, rouge_f1, meteor, sacre_bleu, exact_match):
        with pytest.raises(DataError, match="1 generated texts and 2 references"):
            function(["a"], ["a", "b"])
        with pytest.raises(DataError, match="no texts"):
            function([], [])
        with pytest.raises(DataError, match="not one text"):
            function("a", "a")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name=name.partition(".")[0])

    monkeypatch.setattr("unlearned.extras.import_module", absent)
    for function in (rouge_recall, meteor, sacre_bleu):
        with pytest.raises(MissingExtraError, match=r"unlearned\[metrics\]"):
            function(["a"], ["a"])


def test_exact_match_is_strict() -> None:
    assert exact_match(["Paris", "paris", "Paris "], ["Paris"] * 3).tolist() == [1, 0, 0]


def test_the_similarity_gap_is_the_mean_of_absolute_differences_of_means() -> None:
    unlearned = dict(zip(text.SIMILARITIES, (0.71, 0.10, 0.15, 0.02), strict=True))
    retained = dict(zip(text.SIMILARITIES, (0.70, 0.12, 0.13, 0.01), strict=True))
    assert average_similarity_gap(unlearned, retained) == pytest.approx(0.015)
    generator = np.random.default_rng(0)
    first, second = ({name: generator.uniform(size=count) for name in text.SIMILARITIES} for count in (50, 60))
    found = average_similarity_gap_estimate(first, second)
    means = [{name: float(values.mean()) for name, values in scores.items()} for scores in (first, second)]
    assert found.value == pytest.approx(average_similarity_gap(*means))
    assert found.standard_error
    assert found.count == 110


def test_the_similarity_gap_needs_all_four_of_the_same_texts() -> None:
    with pytest.raises(DataError, match="there are rouge"):
        average_similarity_gap({"rouge": 1.0}, {"rouge": 1.0})
    ragged = {name: [1.0] * (1 + (name == "bleu")) for name in text.SIMILARITIES}
    with pytest.raises(DataError, match="not of the same texts"):
        average_similarity_gap_estimate(ragged, ragged)


def test_perplexity_divides_by_the_real_tokens_of_each_text() -> None:
    found = perplexities([np.log([0.5, 0.5]), np.log([0.1, 0.2, 0.05])])
    assert found == pytest.approx([2, (1 / (0.1 * 0.2 * 0.05)) ** (1 / 3)])
    with pytest.raises(DataError, match="nothing to measure"):
        perplexities([])
    with pytest.raises(DataError, match="nothing to measure"):
        perplexities([[-1.0], []])
    with pytest.raises(DataError, match="too large"):
        perplexities([[-1000.0]])


def test_repetition_is_seen_by_the_token_ratio_and_the_entropy() -> None:
    assert unique_token_ratio([7, 7, 7, 8]) == 0.5
    assert unique_token_ratio([]) == 0
    assert token_entropy([1, 2, 3, 4]) == pytest.approx(1)
    assert token_entropy([1, 1, 1, 1]) == 0
    assert token_entropy([1, 1, 2]) == pytest.approx((2 / 3 * math.log2(3 / 2) + 1 / 3 * math.log2(3)) / math.log2(3))
    assert token_entropy([5]) == token_entropy([]) == 0
