"""Hashed character n-grams: counted by hand, and blind to whatever stands between letters."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from oracles.features import given_features
from oracles.kernel import grams
from unlearned.classify.ngrams import BITS, NGrams, ngrams, squash


def _of(text: str) -> set[int]:
    (found,) = _sets(ngrams([text]))
    return found


def _sets(found: NGrams) -> list[set[int]]:
    parts = [found.ids[found.starts[i] : found.starts[i + 1]] for i in range(len(found))]
    assert all(len(set(part.tolist())) == len(part) for part in parts)  # no duplicates within a text
    return [set(part.tolist()) for part in parts]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("ab", 0),
        ("?! -- ...", 0),
        ("abc", 1),  # abc
        ("abcd", 3),  # abc bcd, abcd
        ("abcde", 6),  # abc bcd cde, abcd bcde, abcde
        ("abcdef", 9),
        ("aaaa", 2),  # aaa, aaaa
        ("aaaaaaaa", 3),
        ("ababab", 6),  # aba bab, abab baba, ababa babab
        ("a b c", 1),
        ("x1y2", 3),
        ("ёжик", 3),
        ("東京都", 1),
        ("e\u0301te\u0301", 1),  # été, decomposed
    ],
)
def test_the_number_of_n_grams_is_the_one_counted_by_hand(text: str, count: int) -> None:
    assert len(_of(text)) == count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who is Dr. O'Neil-Smith?", "whoisdroneilsmith"),
        ("  A\tB\nC_D ", "abcd"),
        ("Café NAÏVE Ångström", "cafenaiveangstrom"),
        ("ﬁne ½ Ⅳ ｗｉｄｅ", "fine12ivwide"),
        ("İstanbul", "istanbul"),
        ("Straße", "straße"),
        ("Привет, мир", "приветмир"),
        ("東京 2020", "東京2020"),
        ("👍🏽!", ""),
        ("\ud800x", "x"),  # half of a surrogate pair
        ("", ""),
    ],
)
def test_squash_keeps_lower_case_letters_and_digits_without_accents(text: str, expected: str) -> None:
    assert squash(text) == expected


@pytest.mark.parametrize(
    "disguise",
    [
        "h a r r y p o t t e r",
        "Harry-Potter",
        "HARRY   POTTER!!!",
        "«Harry» (Potter)",
        "Har\u00adry Pot\u200bter",
        "H.a.r.r.y_P*o*t*t*e*r",
        "Hârrÿ Põttér",
        unicodedata.normalize("NFD", "Hârrÿ Põttér"),
    ],
)
def test_spaces_marks_case_and_accents_change_nothing(disguise: str) -> None:
    assert _of(disguise) == _of("Harry Potter")


def test_shared_n_grams_are_those_of_the_letters_themselves() -> None:
    texts = ["Who is Harry Potter?", "Harry Potters Freund", "Potter, Harry", "potato", "Гарри Поттер", ""]
    found = _sets(ngrams(texts))
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            assert len(found[i] & found[j]) == len(grams(one) & grams(other)), (one, other)


def test_the_order_of_the_letters_counts() -> None:
    assert not _of("abc") & _of("cba")
    assert not _of("abc") & _of("acb")
    assert not _of("aab") & _of("baa")


def test_hashes_hardly_ever_meet() -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(chr(97 + int(c)) for c in rng.integers(0, 26, 50)) for _ in range(200)]
    distinct = set().union(*map(grams, texts))
    hashed = set().union(*_sets(ngrams(texts)))
    assert len(distinct) > 20_000
    # Of n balls in m boxes, n^2 / 2m are expected to fall into a taken one.
    assert len(distinct) - len(hashed) < 1.5 * len(distinct) ** 2 / 2**BITS / 2
    assert min(hashed) >= 0
    assert max(hashed) < 2**BITS


def test_hashes_are_the_same_everywhere_and_forever() -> None:
    # They are saved in artifacts: another hash would make every saved classifier useless.
    assert ngrams(["abcd"]).ids.tolist() == [439640, 874575, 1667576]


def test_rows_and_starts_say_whose_n_grams_they_are() -> None:
    found = ngrams(["abc", "", "abcd", "ab"])
    assert len(found) == 4
    assert found.starts.tolist() == [0, 1, 1, 4, 4]
    assert found.rows.tolist() == [0, 2, 2, 2]
    assert (found.ids.dtype, found.starts.dtype) == (np.int64, np.int64)


@pytest.mark.parametrize("batch", [1, 5, 12, 10_000])
def test_texts_side_by_side_do_not_meet(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearned.classify.ngrams.BATCH", batch)
    texts = ["Harry Potter", "", "ab", "What is Hogwarts?", "?", "abc", "Гарри Поттер", ""]
    found = ngrams(texts)
    assert _sets(found) == [_of(text) for text in texts]
    assert [len(own) for own in _sets(found)] == [len(grams(text)) for text in texts]


def test_no_texts_have_no_n_grams() -> None:
    found = ngrams([])
    assert len(found) == 0
    assert found.ids.shape == (0,)
    assert found.rows.shape == (0,)


@pytest.mark.parametrize("chosen", [[], [0], [2, 0], [1, 1, 3], [3, 2, 1, 0]])
def test_taking_texts_gives_what_hashing_them_would(chosen: list[int]) -> None:
    texts = ["Harry Potter", "", "What is Hogwarts?", "ab"]
    taken, made = ngrams(texts).take(np.array(chosen, dtype=np.int64)), ngrams([texts[i] for i in chosen])
    assert np.array_equal(taken.ids, made.ids)
    assert np.array_equal(taken.starts, made.starts)


def test_features_hash_a_text_once_and_only_if_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def watch(texts: tuple[str, ...]) -> NGrams:
        hashed.extend(texts)
        return ngrams(texts)

    monkeypatch.setattr("unlearned.classify.base.ngrams", watch)
    features = given_features(("abc", "abcd", "xyz"), np.eye(3, dtype=np.float32))
    assert hashed == []
    taken = features.take(np.array([2, 0]))
    assert hashed == []
    assert taken.texts == ("xyz", "abc")
    assert np.array_equal(taken.vectors, features.vectors[[2, 0]])
    assert _sets(taken.ngrams) == [_of("xyz"), _of("abc")]
    assert len(features.ngrams) == 3
    assert hashed == ["abc", "abcd", "xyz"]
