"""Weighted n-grams: rows of unit length, and their product with weights without the matrix."""

from __future__ import annotations

import numpy as np

from unlearned.classify.ngrams import ngrams
from unlearned.classify.spelling import known_grams, product, unit_rows

TEXTS = ["Who is Harry Potter?", "", "harry", "日本語の本", "Who is Harry Potter? Who is Harry Potter?", "??!"]


def known(texts: list[str]) -> np.ndarray:
    return np.unique(ngrams(texts).ids)


def test_rows_are_of_unit_length_or_empty_and_the_product_is_the_matrix_product() -> None:
    found, grams = ngrams(TEXTS), known(["Harry Potter", "日本語"])
    generator = np.random.default_rng(0)
    idf = generator.uniform(1, 5, len(grams)).astype(np.float32)
    weights = generator.standard_normal(len(grams)).astype(np.float32)
    rows = unit_rows(found, grams, idf)
    assert rows.shape == (len(TEXTS), len(grams))
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1))).ravel()
    np.testing.assert_allclose(norms, [1, 0, 1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(product(found, grams, idf, weights), rows @ weights, atol=1e-5)


def test_only_known_n_grams_count_also_at_both_ends_of_the_list() -> None:
    found = ngrams(TEXTS)
    every = known(TEXTS)
    for grams in (every, every[:1], every[-1:], every[1:-1], every[:0]):
        rows, columns = known_grams(found, grams)
        pairs = set(zip(rows.tolist(), grams[columns].tolist(), strict=True))
        wanted = {
            (row, int(gram))
            for row, gram in zip(found.rows.tolist(), found.ids.tolist(), strict=True)
            if gram in set(grams.tolist())
        }
        assert pairs == wanted
        assert rows.tolist() == sorted(rows.tolist())


def test_no_texts_and_no_known_n_grams_give_nothing() -> None:
    none = np.zeros(0, dtype=np.float32)
    assert product(ngrams([]), known(TEXTS), np.ones(len(known(TEXTS)), dtype=np.float32), none).shape == (0,)
    assert product(ngrams(TEXTS), known([]), none, none).tolist() == [0.0] * len(TEXTS)
